"""Looks at all watched orders at once, and shows each watcher where its order stands now.

A watcher holds the latest sight alone, never a queue: what lies between it and the last one sent is inferred
(state_path.py). So a reader that falls behind costs 1 kB like any other, and misses nothing.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol, TypeVar

from meshkit.clock import wall_ms
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger
from order_worker import metrics
from order_worker.get_order import Sight, Waiting
from order_worker.order_reads import OrderView

T = TypeVar("T")
log = get_logger(__name__)
# A move is seen within two looks, so that it is told within 1 s also where the database takes its time.
EVERY_SECONDS = 0.25
# All orders, moved or not: heals what was committed later than LATE_MS after its stamp. Also renews the consent of
# those that are PENDING, whose buyers are asking all the while.
WHOLE_SECONDS = 5.0
LATE_MS = 2_000
# One statement a look for so many: parsing its rows holds the event loop for about 4 ms.
CHUNK = 500


class Reads(Protocol):
    async def some(self, order_ids: Collection[str], since_ms: int = 0) -> list[OrderView]: ...


class Reservations(Protocol):
    async def __call__(self, order_ids: Sequence[str], *, renew: bool) -> dict[str, Waiting]: ...


class Watcher:
    """One stream. `sight` None: not looked at yet, or (`looked`) nowhere to be found."""

    __slots__ = ("changed", "looked", "order_id", "sight")

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        self.sight: Sight | None = None
        self.looked = False
        self.changed = asyncio.Event()

    def show(self, sight: Sight | None) -> None:
        self.looked = True
        if sight is not None and sight != self.sight:
            self.sight = sight
            self.changed.set()
        elif self.sight is None:
            self.changed.set()


class OrderTail:
    """`run` must be running for watchers to be shown anything."""

    def __init__(self, reads: Reads, reservations: Reservations, now_ms: Callable[[], int] = wall_ms) -> None:
        self._reads, self._reservations, self._now_ms = reads, reservations, now_ms
        self._watched: dict[str, list[Watcher]] = {}
        self._fresh: set[str] = set()
        self._wake = asyncio.Event()
        self._since_ms = 0
        self._whole_at = 0.0
        self.closed = False
        self.count = 0

    def add(self, order_id: str) -> Watcher:
        watcher = Watcher(order_id)
        self._watched.setdefault(order_id, []).append(watcher)
        self._fresh.add(order_id)
        self._wake.set()
        self.count += 1
        metrics.WATCHERS.set(self.count)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        others = self._watched[watcher.order_id]
        others.remove(watcher)
        if not others:
            del self._watched[watcher.order_id]
            self._fresh.discard(watcher.order_id)
        self.count -= 1
        metrics.WATCHERS.set(self.count)

    def close(self) -> None:
        """Every watcher wakes to find the tail closed."""
        self.closed = True
        for watchers in self._watched.values():
            for watcher in watchers:
                watcher.changed.set()

    async def run(self) -> None:
        """Until cancelled. Without watchers nobody is asked anything."""
        next_look = time.monotonic()
        while True:
            if not self._watched:
                self._wake.clear()
                await self._wake.wait()
            try:
                await self._look_at_new()
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + EVERY_SECONDS
                    with metrics.LOOK_SECONDS.time():
                        await self._look_again()
            except DependencyUnavailable as error:
                log.warning("watchers wait", error=error.message, watchers=self.count)
                await asyncio.sleep(EVERY_SECONDS)
            self._wake.clear()
            if not self._fresh:
                await self._woken_within(next_look - time.monotonic())

    async def _woken_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _look_at_new(self) -> None:
        """Orders nobody watched until now. Those that come meanwhile are the next call's: they share one query."""
        for order_ids in _chunks(sorted(self._fresh)):
            views = {view.order_id: view for view in await self._reads.some(order_ids)}
            rowless = [order_id for order_id in order_ids if order_id not in views]
            waiting = await self._reservations(rowless, renew=True) if rowless else {}
            # A row may have been committed between the two reads, and its reservation have ended.
            again = [order_id for order_id in rowless if order_id not in waiting]
            late = {view.order_id: view for view in await self._reads.some(again)} if again else {}
            self._fresh.difference_update(order_ids)
            for order_id in order_ids:
                self._show(order_id, views.get(order_id) or waiting.get(order_id) or late.get(order_id))

    async def _look_again(self) -> None:
        began, whole = self._now_ms(), time.monotonic() >= self._whole_at
        since = 0 if whole else self._since_ms - LATE_MS
        for order_ids in _chunks(sorted(self._watched)):
            for view in await self._reads.some(order_ids, since):
                self._show(view.order_id, view)
        self._since_ms = began
        if whole:
            self._whole_at = time.monotonic() + WHOLE_SECONDS
        # What is QUEUED moves by its row alone; only PENDING may still become QUEUED, or be cancelled.
        for order_ids in _chunks([order_id for order_id in sorted(self._watched) if self._is_pending(order_id)]):
            for order_id, waiting in (await self._reservations(order_ids, renew=whole)).items():
                self._show(order_id, waiting)

    def _is_pending(self, order_id: str) -> bool:
        sight = self._watched[order_id][0].sight
        return isinstance(sight, Waiting) and not sight.queued

    def _show(self, order_id: str, sight: Sight | None) -> None:
        for watcher in self._watched.get(order_id, ()):
            # The reservation is looked at after the row: it must not overwrite one that appeared in between.
            if not (isinstance(sight, Waiting) and isinstance(watcher.sight, OrderView)):
                watcher.show(sight)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
