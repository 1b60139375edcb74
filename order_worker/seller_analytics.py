"""A seller's own figures for a span of time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from meshkit.clock import wall_ms
from meshkit.errors import InvalidFields, Overloaded
from meshkit.rpc import deadline
from order_worker.metrics import ANALYTICS_SECONDS
from order_worker.sales_reads import Figures, Sales

DAY_MS = 86_400_000
MOST_MS = 31 * DAY_MS
# For one's turn. Longer, and who waits has given up.
WAIT_SECONDS = 0.5


class Reads(Protocol):
    async def __call__(self, seller_id: str, from_ms: int, until_ms: int) -> Sales: ...


@dataclass(frozen=True, slots=True)
class Analytics:
    """`totals`: one a currency, in the order of their codes."""

    from_ms: int
    until_ms: int
    totals: list[Figures]
    sales: Sales


class SellerAnalytics:
    """At most `most` queries at once: each keeps a core of the database busy that orders need."""

    def __init__(self, reads: Reads, most: int, now_ms: Callable[[], int] = wall_ms) -> None:
        self._reads, self._now_ms = reads, now_ms
        self._turns = asyncio.Semaphore(most)

    async def __call__(self, seller_id: str, from_ms: int | None, until_ms: int | None) -> Analytics:
        """None: the last 24 hours. Raises InvalidFields, Overloaded, DeadlinePassed, DependencyUnavailable."""
        until = self._now_ms() if until_ms is None else until_ms
        begin = max(0, until - DAY_MS) if from_ms is None else from_ms
        if begin >= until:
            raise InvalidFields([("from_time", "must be before until_time")])
        if until - begin > MOST_MS:
            raise InvalidFields([("from_time", "must be at most 31 days before until_time")])
        async with self._turn():
            # The database ends a query after 1.5 s, not when its reader has gone.
            deadline.check()
            with ANALYTICS_SECONDS.time():
                sales = await self._reads(seller_id, begin, until)
        return Analytics(begin, until, _totals(sales), sales)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise Overloaded("too many sellers ask for their figures", retry_after=2.0) from None
        try:
            yield
        finally:
            self._turns.release()


def _totals(sales: Sales) -> list[Figures]:
    """Of the hours, which are complete; SKUs may be cut."""
    sums: dict[str, Figures] = {}
    for _, figures in sales.hours:
        known = sums.get(figures.currency)
        sums[figures.currency] = known + figures if known else figures
    return [sums[currency] for currency in sorted(sums)]
