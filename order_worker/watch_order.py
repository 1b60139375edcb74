"""One stream: the order as it is, then each of its moves, to the end."""

import asyncio
from collections.abc import AsyncGenerator

from kernel.order_states import TERMINAL_STATES
from meshkit.errors import DependencyUnavailable, OrderNotFound, Overloaded
from meshkit.identity import Identity
from order_worker import metrics
from order_worker.get_order import Sight, visible_to
from order_worker.order_reads import OrderView
from order_worker.order_tail import OrderTail, Watcher
from order_worker.state_path import path

FIRST_LOOK_SECONDS = 2.0
# A fifth of a second would bring all back at once to a process that is full or stopping.
COME_BACK_SECONDS = 1.0
Move = tuple[str, Sight]


class WatchOrder:
    """`most`: streams a process. Yields (state on the wire, the order as last seen)."""

    def __init__(self, tail: OrderTail, most: int) -> None:
        self._tail, self._most = tail, most

    async def __call__(self, order_id: str, who: Identity) -> AsyncGenerator[Move, None]:
        """Raises OrderNotFound, for another's order too; Overloaded; DependencyUnavailable, also at the process end."""
        if self._tail.count >= self._most:
            metrics.WATCHES.labels("overloaded").inc()
            raise Overloaded(f"{self._most} orders are watched here", retry_after=COME_BACK_SECONDS)
        watcher = self._tail.add(order_id)
        try:
            sight = await self._first(watcher, who)
            state, cancelling = sight.shown, sight.cancelling
            yield state, sight
            while not _ended(sight):
                sight = await self._next(watcher)
                moves = path(state, sight.shown, debited=sight.debited)
                if not moves and sight.cancelling != cancelling:
                    moves = [state]
                for state in moves:
                    yield state, sight
                cancelling = sight.cancelling
            metrics.WATCHES.labels("ended").inc()
        finally:
            self._tail.remove(watcher)

    async def _first(self, watcher: Watcher, who: Identity) -> Sight:
        try:
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                sight = await self._next(watcher)
        except TimeoutError:
            raise DependencyUnavailable("database") from None
        if not visible_to(who)(sight.user_id):
            raise OrderNotFound("no such order")
        return sight

    async def _next(self, watcher: Watcher) -> Sight:
        if not self._tail.closed:
            await watcher.changed.wait()
            watcher.changed.clear()
        if self._tail.closed:
            metrics.WATCHES.labels("stopped").inc()
            words = "this process stops: watch again"
            raise DependencyUnavailable("order_worker", words, retry_after=COME_BACK_SECONDS)
        if watcher.sight is None:
            raise OrderNotFound("no such order")
        return watcher.sight


def _ended(sight: Sight) -> bool:
    """TO_SHIP is the end, unless a cancel is under way."""
    return isinstance(sight, OrderView) and sight.state in TERMINAL_STATES and not sight.cancelling
