"""A token bucket: what the database is asked for stays flat however high the backlog stands."""

import asyncio
import time
from collections.abc import Awaitable, Callable

WINDOW_SECONDS = 0.1
# What may be caught up after a slow batch: a window alone would lose every tick in which a batch takes longer than one.
CATCH_UP_SECONDS = 0.25


class Pace:
    """Lets `rate` records a second through, `most` at a time; 0 is unlimited."""

    def __init__(
        self,
        rate: float,
        most: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate, self._clock, self._wait, self._most = rate, clock, wait, most
        # A window's worth at a time: 2,000 a second is 200 every 100 ms, and not 500 in a burst.
        self._portion = min(most, max(1, int(rate * WINDOW_SECONDS))) if rate else most
        # An idle hour must not become a burst, so the bucket is small.
        self._capacity = max(float(self._portion), rate * CATCH_UP_SECONDS)
        self._tokens, self._filled_at = float(self._portion), clock()

    def portion(self) -> int:
        """How many records to take next: a window's worth, and what a slow batch before left to catch up."""
        self._fill()
        return min(self._most, max(self._portion, int(self._tokens))) if self._rate else self._most

    async def spend(self, records: int) -> None:
        """Waits until the bucket holds a token for each of `records`."""
        if not self._rate:
            return
        self._fill()
        if self._tokens < records:
            await self._wait((records - self._tokens) / self._rate)
            self._fill()
        self._tokens -= records

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
