"""Searching the index: kinds of match one after the other, best first, each in an order that pages can go on in."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from checkout_svc.product_index import ProductIndex, shown
from checkout_svc.query_terms import expression, near_expression, terms
from checkout_svc.shown_product import ShownProduct, StockState

# More are not ranked but walked in the order of import: bm25 takes 3 us a product.
RANK_MOST = 500
# Fewer than that, and words spelled nearly so are looked for too.
FEW = 3
# A walk whose filters find little ends its page short rather than keep all other searches waiting.
BUDGET_SECONDS = 0.004
FIRST_STEP, LONGEST_STEP = 64, 1024
ANY_PRICE = 2**62


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a buyer looks for. Prices in minor units of `currency`; empty: any price. `state` None: any."""

    query: str = ""
    currency: str = ""
    low: int = 0
    high: int = ANY_PRICE
    state: StockState | None = None


class Match(IntEnum):
    """Kinds of match, best first."""

    SKU = 1
    NAME = 2
    RANKED = 3
    WALKED = 4
    NEAR_RANKED = 5
    NEAR_WALKED = 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the results a page ended: the next one begins behind it. `product_no` is the same in every process."""

    match: Match = Match.SKU
    score: float = float("-inf")
    product_no: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """`after` None: there is no more."""

    products: list[ShownProduct]
    after: Place | None


Step = tuple[Place, ShownProduct | None]  # no product: the walk has come so far and found nothing new


def search(index: ProductIndex, wanted: Wanted, size: int, after: Place | None = None) -> Found:
    """At most `size` products behind `after`."""
    page: list[ShownProduct] = []
    last = after or Place()
    give_up = time.perf_counter() + BUDGET_SECONDS
    for place, product in _Search(index, wanted, size).steps(last):
        if product is None:
            last = place
            if time.perf_counter() > give_up:
                return Found(page, last)
            continue
        if len(page) == size:
            return Found(page, last)
        page.append(product)
        last = place
    return Found(page, None)


class _Search:
    def __init__(self, index: ProductIndex, wanted: Wanted, size: int) -> None:
        self._index = index
        query = wanted.query.strip()
        self._asked: dict[str, Any] = asdict(wanted) | {
            "query": query,
            "lower": query.lower(),
            "upper": query.upper(),
            # One more than a page: whether there is another one.
            "most": size + 1,
            "seen": "[]",
        }
        self._filters = _filters(wanted)
        self._restriction = ""
        if wanted.state not in (None, StockState.NOT_ON_SALE):
            # Few products are on sale: sought among those, a broad query is found whole and ranked.
            on_sale = [no for (no,) in index.database.execute(_OF_STATE, self._asked)]
            self._asked["on_sale"], self._restriction = json.dumps(on_sale), _RESTRICTION

    def steps(self, after: Place) -> Iterator[Step]:
        if not self._asked["query"]:
            yield from self._walk(Match.WALKED, _ALL, after)
            return
        yield from self._walk(Match.SKU, _BY_SKU, after)
        yield from self._walk(Match.NAME, _BY_NAME, after)
        words = terms(self._asked["query"])
        if not words:
            return
        direct = expression(words)
        # Among products on sale a look costs 2 ms however little it finds, and few are found: they are ranked unasked.
        broad = not self._restriction and len(self._numbers(_BY_WORDS, 0, RANK_MOST + 1, direct)) > RANK_MOST
        yield from self._matching(direct, after, Match.RANKED, Match.WALKED, broad)
        found = self._numbers(_BY_WORDS, 0, FEW, direct)
        near = near_expression(words, self._index.vocabulary.near) if len(found) < FEW else None
        if near is None:
            return
        self._asked["seen"] = json.dumps(found)
        broad = len(self._numbers(_BY_WORDS, 0, RANK_MOST + 1, near)) > RANK_MOST
        yield from self._matching(near, after, Match.NEAR_RANKED, Match.NEAR_WALKED, broad)

    def _matching(self, match: str, after: Place, ranked: Match, walked: Match, broad: bool) -> Iterator[Step]:
        """A page goes on the way the page before it went, though an import made the query broad meanwhile."""
        if after.match is walked or (broad and after.match is not ranked):
            yield from self._walk(walked, _BY_WORDS, after, match)
        elif after.match <= ranked:
            start = after if after.match is ranked else Place(ranked)
            place = {"score": start.score, "no": start.product_no, "words": match}
            for *row, score in self._rows(_RANKED, _NEW + self._filters, **place):
                yield Place(ranked, score, row[0]), shown(row)

    def _walk(self, kind: Match, source: str, after: Place, words: str = "") -> Iterator[Step]:
        """Products in the order of import, step by step: what the filters leave of them."""
        if after.match > kind:
            return
        no, step = after.product_no if after.match is kind else 0, FIRST_STEP
        filters = self._filters if kind < Match.WALKED else _NEW + self._filters
        while True:
            numbers = self._numbers(source, no, step, words)
            for row in self._rows(_NUMBERED, filters, numbers=json.dumps(numbers)):
                yield Place(kind, 0.0, row[0]), shown(row)
            if len(numbers) < step:
                return
            no, step = numbers[-1], min(2 * step, LONGEST_STEP)
            yield Place(kind, 0.0, no), None

    def _numbers(self, source: str, no: int, count: int, words: str) -> list[int]:
        """At most `count` product numbers of `source` above `no`, in order."""
        values = self._asked | {"no": no, "count": count, "words": words}
        return [number for (number,) in self._index.database.execute(self._restricted(source), values)]

    def _rows(self, query: str, filters: Sequence[str], **more: Any) -> list[Any]:
        conditions = " ".join(f"AND {each}" for each in filters)
        filtered = self._restricted(query).replace("{filters}", conditions)
        return self._index.database.execute(filtered, self._asked | more).fetchall()

    def _restricted(self, query: str) -> str:
        return query.replace("{on_sale}", self._restriction)


def _filters(wanted: Wanted) -> list[str]:
    conditions = []
    if wanted.currency:
        conditions += ["shown.currency = :currency", "shown.price_minor BETWEEN :low AND :high"]
    if wanted.state is not None:
        conditions.append("shown.state = :state")
    return conditions


_OF_STATE = "SELECT product.no FROM available JOIN product USING (sku) WHERE available.state = :state"
# `+` keeps SQLite from looking the words up once for each product: 2 ms of one look at all their products, not 100.
_RESTRICTION = "AND +rowid IN (SELECT value FROM json_each(:on_sale))"
_ALL = "SELECT no FROM product WHERE no > :no {on_sale} ORDER BY no LIMIT :count"
_BY_SKU = "SELECT no FROM product WHERE sku IN (:query, :lower, :upper) AND no > :no ORDER BY no LIMIT :count"
_BY_NAME = """
SELECT no FROM product WHERE name = :query COLLATE NOCASE AND sku NOT IN (:query, :lower, :upper) AND no > :no {on_sale}
ORDER BY no LIMIT :count
"""
_BY_WORDS = "SELECT rowid FROM words WHERE words MATCH :words AND rowid > :no {on_sale} ORDER BY rowid LIMIT :count"
# What a better kind of match has not told already.
_NEW = [
    "shown.sku NOT IN (:query, :lower, :upper)",
    "shown.name <> :query COLLATE NOCASE",
    "shown.no NOT IN (SELECT value FROM json_each(:seen))",
]
_NUMBERED = """
SELECT shown.* FROM shown WHERE shown.no IN (SELECT value FROM json_each(:numbers)) {filters}
ORDER BY shown.no LIMIT :most
"""
# A word of the name counts three times one of the SKU. Rounded, so that a token and two processes agree on it. The
# limit bounds a query that an import made broad between two pages.
_RANKED = """
WITH found AS MATERIALIZED (
  SELECT rowid AS no, ROUND(bm25(words, 3.0, 1.0), 6) AS score FROM words WHERE words MATCH :words {on_sale} LIMIT 1000
)
SELECT shown.*, found.score FROM found CROSS JOIN shown ON shown.no = found.no
WHERE (found.score, found.no) > (:score, :no) {filters} ORDER BY found.score, found.no LIMIT :most
"""
