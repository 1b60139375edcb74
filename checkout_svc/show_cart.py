"""A cart's lines beside what their offers are now. What cannot be bought is shown and marked, never hidden."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from checkout_svc.cart import CartLine
from checkout_svc.offer_registry import OfferRegistry
from kernel.offers import Offer
from kernel.order_ids import bucket_for
from kernel.stock.port import StockPort
from kernel.stock.results import Counters, OfferState
from meshkit.clock import wall_ms
from meshkit.errors import OfferNotFound


class LineState(Enum):
    BUYABLE = "buyable"
    NOT_YET_OPEN = "not yet open"
    CLOSED = "closed"
    SOLD_OUT = "sold out"
    UNKNOWN = "not on sale"


@dataclass(frozen=True, slots=True)
class ShownLine:
    """`offer` None: not on sale, and without a current price."""

    line: CartLine
    offer: Offer | None
    state: LineState

    def total_minor(self) -> int:
        return self.offer.price_minor * self.line.quantity if self.offer else 0


def totals(shown: Sequence[ShownLine]) -> dict[str, int]:
    """Minor units by currency, of what could be bought now."""
    sums: Counter[str] = Counter()
    for each in shown:
        if each.offer and each.state is LineState.BUYABLE:
            sums[each.offer.currency] += each.total_minor()
    return dict(sums)


class ShowCart:
    """`stock`: over connections of its own; a crowd that looks at carts must not wait in line before one that buys."""

    def __init__(self, offers: OfferRegistry, stock: StockPort) -> None:
        self._offers, self._stock = offers, stock

    async def __call__(self, user_id: str, lines: Sequence[CartLine]) -> list[ShownLine]:
        return list(await asyncio.gather(*[self._show(user_id, line) for line in lines]))

    async def _show(self, user_id: str, line: CartLine) -> ShownLine:
        try:
            offer = await self._offers.find(*line.offer)
        except OfferNotFound:
            return ShownLine(line, None, LineState.UNKNOWN)
        counters = await self._stock.counters(offer.offer_no, bucket_for(user_id, offer.buckets))
        return ShownLine(line, offer, _state(counters, line.quantity, wall_ms()))


def _state(counters: Counters | None, quantity: int, now_ms: int) -> LineState:
    """By this process' clock; what is bought is decided by Redis' own."""
    if counters is None or counters.state is not OfferState.OPEN or 0 < counters.closes_ms <= now_ms:
        return LineState.CLOSED
    if now_ms < counters.opens_ms:
        return LineState.NOT_YET_OPEN
    return LineState.BUYABLE if counters.available >= quantity else LineState.SOLD_OUT
