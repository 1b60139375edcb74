"""The catalogue in memory: follows Redis, and answers from an index that one thread of its own reads and writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from redis.exceptions import RedisError

from checkout_svc.metrics import CATALOG_PRODUCTS, CATALOG_REFRESH_SECONDS, SEARCH_SECONDS
from checkout_svc.product_index import ProductIndex
from checkout_svc.search_index import Found, Place, Wanted, search
from checkout_svc.shown_product import Availability, ShownProduct
from kernel.catalog import Edition
from meshkit.errors import DependencyUnavailable, Overloaded
from meshkit.log import get_logger
from meshkit.patience import every

log = get_logger(__name__)
T = TypeVar("T")
P = ParamSpec("P")
REFRESH_SECONDS = 0.5
# A turn of the thread: 250 products take about 8 ms, which is what a search waits for at most while the index grows.
# Whoever searches has a turn between two of these: beside three who search without a pause 10,000 renamed products took
# 0.8 to 1.2 s by turns of 100, and take 0.4 s, while a search waits no longer at p99.
TURN = 250
# Questions waiting for the thread; each takes about a millisecond.
MOST_WAITING = 256


@dataclass(frozen=True, slots=True)
class CatalogFeed:
    """Where the catalogue comes from: `kernel.catalog` over Redis."""

    edition: Callable[[], Awaitable[Edition | None]]
    everything: Callable[[], AsyncIterator[list[bytes]]]
    changed: Callable[[int, int], AsyncIterator[list[bytes]]]


class Catalog:
    """What was read once stays, whatever becomes of Redis."""

    def __init__(self, feed: CatalogFeed, thread: ThreadPoolExecutor) -> None:
        self._feed, self._thread = feed, thread
        self._edition: Edition | None = None
        self._index: ProductIndex | None = None
        self._available: dict[str, Availability] = {}
        self._waiting = 0

    async def search(self, wanted: Wanted, size: int, after: Place | None) -> Found:
        """Raises DependencyUnavailable until the catalogue has arrived, Overloaded."""
        with SEARCH_SECONDS.time():
            return await self._ask(search, wanted, size, after)

    async def find(self, sku: str) -> ShownProduct | None:
        """Raises as `search`."""
        return await self._ask(ProductIndex.find, sku)

    async def names(self, skus: Sequence[str]) -> dict[str, str]:
        """Names by SKU; those that are not known, or not yet, are left out. Raises Overloaded."""
        return await self._ask(ProductIndex.names, skus) if self._index else {}

    async def make_available(self, changed: Mapping[str, Availability]) -> None:
        """What changed of where products can be had; it is kept over every refresh."""
        self._available |= changed
        if self._index is not None:
            await self._in_turn(self._index.make_available, changed)

    async def keep_fresh(self) -> None:
        """Until cancelled; a Redis that is away is waited for."""
        await every(REFRESH_SECONDS, "catalogue", self.refresh, RedisError, OSError, ValueError)

    async def refresh(self) -> None:
        """Brings the index to what is published, if that is another edition."""
        edition, mine = await self._feed.edition(), self._edition
        if edition is None or edition == mine:
            return
        with CATALOG_REFRESH_SECONDS.time():
            if self._index is None or mine is None or mine.copy != edition.copy or mine.version > edition.version:
                await self._build(edition)
            else:
                await self._put(self._index, self._feed.changed(mine.version, edition.version))
                if await self._still_there(edition):
                    self._edition = edition
        if self._index is not None:
            CATALOG_PRODUCTS.set(await self._in_turn(self._index.count))
        log.info("catalogue refreshed", version=edition.version)

    async def _build(self, edition: Edition) -> None:
        """A new index beside the old one, which answers until the new one is whole."""
        index = await self._in_turn(ProductIndex)
        await self._put(index, self._feed.everything())
        if not await self._still_there(edition):
            await self._in_turn(index.close)
            return
        old, self._index, self._edition = self._index, index, edition
        # Behind the swap: what becomes available from here on is told to the new index, after this.
        await self._in_turn(index.make_available, dict(self._available))
        if old is not None:
            await self._in_turn(old.close)

    async def _put(self, index: ProductIndex, parts: AsyncIterator[list[bytes]]) -> None:
        async for part in parts:
            for start in range(0, len(part), TURN):
                await self._in_turn(index.put, part[start : start + TURN])

    async def _still_there(self, edition: Edition) -> bool:
        """Whether what was read was one copy from beginning to end."""
        now = await self._feed.edition()
        return now is not None and now.copy == edition.copy

    async def _ask(self, question: Callable[Concatenate[ProductIndex, P], T], *asked: P.args, **named: P.kwargs) -> T:
        if self._waiting >= MOST_WAITING:
            raise Overloaded("too many searches are waiting", retry_after=1.0)
        if self._index is None:
            raise DependencyUnavailable("catalog", "the catalogue has not arrived yet")
        self._waiting += 1
        try:
            return await self._in_turn(question, self._index, *asked, **named)
        finally:
            self._waiting -= 1

    async def _in_turn(self, work: Callable[P, T], *asked: P.args, **named: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*asked, **named))


@asynccontextmanager
async def catalog_following(feed: CatalogFeed) -> AsyncIterator[Catalog]:
    """One thread: SQLite's connection takes one question at a time anyhow, and lets go of the GIL while it works."""
    thread = ThreadPoolExecutor(1, "catalog")
    try:
        yield Catalog(feed, thread)
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
