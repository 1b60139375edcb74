"""Tells payment_worker again of CREATED rows that it has not begun: a follow-up lost is an order that never ends."""

import time
from collections.abc import Callable

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_states import OrderState
from kernel.schema import orders, payment_step
from meshkit.kafka.publisher import Publisher
from meshkit.log import get_logger
from order_worker.follow_ups import publish_created
from order_worker.order_rows import to_message
from peakmesh.event.v1.events_pb2 import AcceptedOrder

log = get_logger(__name__)
PAGE = 500


class SweepCreated:
    """Passes over the overdue rows, PAGE a turn, and begins a pass no sooner than `after_seconds` after the last.

    payment_worker may merely be behind, and what it is told twice must not hold up what it is told once.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        publisher: Publisher,
        after_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._publisher, self._after, self._clock = engine, publisher, after_seconds, clock
        self._began = float("-inf")
        self._last = ""

    async def sweep(self, now_ms: int) -> int:
        """Returns the number told. Raises KafkaError, or the database's errors."""
        if not self._last:
            if self._clock() - self._began < self._after:
                return 0
            self._began = self._clock()
        waiting = await self._overdue(now_ms - int(self._after * 1000))
        await publish_created(self._publisher, ((order, {}) for order in waiting), "swept")
        self._last = waiting[-1].order_id if len(waiting) == PAGE else ""
        if waiting:
            log.warning("orders told again", count=len(waiting), first=waiting[0].order_id)
        return len(waiting)

    async def _overdue(self, before_ms: int) -> list[AcceptedOrder]:
        begun = exists().where(payment_step.c.order_id == orders.c.order_id)
        query = (
            select(orders)
            .where(orders.c.state == OrderState.CREATED.value, orders.c.updated_ms < before_ms, ~begun)
            .where(orders.c.order_id > self._last)
            .order_by(orders.c.order_id)
            .limit(PAGE)
        )
        async with self._engine.connect() as connection:
            return [to_message(dict(row)) for row in (await connection.execute(query)).mappings()]
