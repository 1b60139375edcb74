"""Gives back what must be given back: rows (refund, STARTED), inserted by order_worker with the order's own move."""

import asyncio
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from kernel.payment_steps import DONE, REFUND, STUCK
from meshkit.errors import PeakmeshError
from meshkit.log import get_logger
from payment_worker import metrics
from payment_worker.patience import Patience, is_passing
from payment_worker.ports import Providers, Results, Steps
from payment_worker.step_rows import Change, Finish, StepRow

log = get_logger(__name__)
SWEEP = 100


class RefundSteps(Steps, Protocol):
    async def started_refunds(self, limit: int) -> list[StepRow]: ...


class RefundOrders:
    """A refund has no retry limit while the wallet is away; one that the wallet refuses is listed as STUCK."""

    def __init__(self, steps: RefundSteps, providers: Providers, results: Results, patience: Patience) -> None:
        self._steps, self._providers, self._results, self._patience = steps, providers, results, patience

    async def run(self, every: float) -> None:
        """Sweeps until cancelled, `every` seconds apart."""
        while True:
            try:
                await self.sweep()
            except SQLAlchemyError as error:
                log.warning("refund sweep put off", error=repr(error))
            await asyncio.sleep(every)

    async def sweep(self) -> int:
        """Tries every refund that is open, at most SWEEP, the longest untouched first; returns how many it tried."""
        rows = await self._steps.started_refunds(SWEEP)
        await asyncio.gather(*(self._refund(row) for row in rows))
        return len(rows)

    async def _refund(self, row: StepRow) -> None:
        try:
            transfer = await self._patience.persist(lambda _: self._providers.refund(row.order_id))
        except PeakmeshError as error:
            await self._not_done(row, error)
            return
        # Told before it is stored, since a row that is DONE is never looked at again: a crash in between repeats the
        # refund under its key and tells it twice. The wallet's yes is final, so there is no other outcome to tell.
        await self._results.refunded(row.order_id, row.amount_minor, row.currency)
        await self._steps.change(Change(row.order_id, finish=(Finish(REFUND, DONE, provider_ref=transfer),)))
        metrics.REFUNDS.labels("done").inc()

    async def _not_done(self, row: StepRow, error: PeakmeshError) -> None:
        log.warning("refund not done", order_id=row.order_id, reason=error.message, attempt=row.attempt)
        if is_passing(error):
            # Counts the attempt and moves the row behind the others.
            await self._steps.change(Change(row.order_id, begin=(row,)))
            return
        await self._steps.change(Change(row.order_id, finish=(Finish(REFUND, STUCK, reason=error.message),)))
        metrics.REFUNDS.labels("stuck").inc()
