"""Samples of a sale while it runs: what the crowd was told, and what the database has."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel import schema
from kernel.order_states import SOLD_STATES, TERMINAL_STATES, OrderState
from tools.sale.crowd import Crowd

EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class Sample:
    """Counts since the start; `at` in seconds. `backlog`: accepted, and not in the database yet."""

    at: float
    offered: int
    accepted: int
    pending: int
    sold_out: int
    errors: int
    persisted: int
    paid: int
    ended: int
    payment_failed: int

    @property
    def backlog(self) -> int:
        return max(0, self.accepted - self.persisted)


@dataclass
class Watch:
    engine: AsyncEngine
    sale_id: str
    crowd: Crowd
    started: float
    samples: list[Sample] = field(default_factory=list)

    async def sample(self) -> Sample:
        orders = schema.orders
        query = select(orders.c.state, func.count()).where(orders.c.sale_id == self.sale_id).group_by(orders.c.state)
        # The crowd first: a row that comes meanwhile must not make the backlog negative.
        counts = self.crowd.counts
        async with self.engine.connect() as connection:
            rows = {OrderState(state): number for state, number in await connection.execute(query)}
        taken = Sample(
            at=time.time() - self.started,
            offered=counts["offered"],
            accepted=counts["accepted"],
            pending=counts["pending"],
            sold_out=counts["sold_out"],
            errors=counts["errors"],
            persisted=sum(rows.values()),
            paid=sum(rows.get(state, 0) for state in SOLD_STATES),
            ended=sum(rows.get(state, 0) for state in TERMINAL_STATES),
            payment_failed=rows.get(OrderState.PAYMENT_FAILED, 0),
        )
        self.samples.append(taken)
        return taken

    async def run(self, show: Callable[[Sample], None]) -> None:
        while True:
            show(await self.sample())
            await asyncio.sleep(EVERY_SECONDS)

    async def drained(self, accepted: int, within: float, show: Callable[[Sample], None]) -> None:
        """Waits until every accepted order has ended. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                taken = await self.sample()
                show(taken)
                if taken.persisted >= accepted and taken.ended == taken.persisted:
                    return
                await asyncio.sleep(EVERY_SECONDS)
