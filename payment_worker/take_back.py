"""Takes back what was sold: rows of TAKING_BACK, begun by order_worker with the order's own move or its buyer's wish.

unbook   the carrier's yes is the pivot of a cancel: the others begin in the commit that stores it
refund, credit, revoke   money, invoice and coins, retried until done or listed as STUCK
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from kernel.payment_steps import CREDIT, DONE, FAILED, REFUND, REVOKE, STARTED, STUCK, UNBOOK
from meshkit.crash import crash_point
from meshkit.errors import IllegalState, PeakmeshError
from meshkit.log import get_logger
from meshkit.patience import every
from payment_worker import metrics
from payment_worker.patience import Patience, is_passing
from payment_worker.ports import Providers, Results, Steps
from payment_worker.step_rows import Change, Finish, StepRow

log = get_logger(__name__)
SWEEP = 100
AFTER_UNBOOK = (REFUND, CREDIT, REVOKE)


class StepsTakenBack(Steps, Protocol):
    async def started_back(self, limit: int) -> list[StepRow]: ...


class TakeBack:
    """No retry limit while a provider is away; what one refuses is listed as STUCK.

    A carrier that has collected the parcel refuses the cancel: (unbook, FAILED), and no money moves.
    """

    def __init__(
        self, steps: StepsTakenBack, providers: Providers, results: Results, patience: Mapping[str, Patience]
    ) -> None:
        self._steps, self._providers, self._results, self._patience = steps, providers, results, patience

    async def run(self, seconds: float) -> None:
        """Sweeps until cancelled, `seconds` apart."""
        await every(seconds, "take back", self.sweep, SQLAlchemyError)

    async def sweep(self) -> int:
        """Tries every step that is open, at most SWEEP, the longest untouched first; returns how many it tried."""
        rows = await self._steps.started_back(SWEEP)
        await asyncio.gather(*(self._take_back(row) for row in rows))
        return len(rows)

    async def _take_back(self, row: StepRow) -> None:
        try:
            made = await self._patience[row.step].persist(lambda _: self._providers.take_back(row.order_id, row.step))
        except PeakmeshError as error:
            await self._not_done(row, error)
            return
        crash_point(f"after_{row.step}_call")
        done = Finish(row.step, DONE, provider_ref=made, reason=row.reason)
        if row.step == UNBOOK:
            await self._begin_the_rest(row, done)
        else:
            if row.step == REFUND:
                # Told before it is stored, since a row that is DONE is never looked at again: a crash in between
                # repeats the refund under its key and tells it twice. The wallet's yes is final.
                await self._results.refunded(row.order_id, row.amount_minor, row.currency, row.reason)
            await self._steps.change(Change(row.order_id, finish=(done,)))
        metrics.TAKEN_BACK.labels(row.step, "done").inc()

    async def _begin_the_rest(self, row: StepRow, done: Finish) -> None:
        begin = tuple(replace(row, step=step, attempt=1, state=STARTED) for step in AFTER_UNBOOK)
        rows = (await self._steps.change(Change(row.order_id, finish=(done,), begin=begin))).rows
        crash_point("after_unbook_stored")
        begun = [rows[step] for step in AFTER_UNBOOK if step in rows and rows[step].state == STARTED]
        await asyncio.gather(*(self._take_back(each) for each in begun))

    async def _not_done(self, row: StepRow, error: PeakmeshError) -> None:
        log.warning("not taken back", order_id=row.order_id, step=row.step, reason=error.message, attempt=row.attempt)
        if is_passing(error):
            # Counts the attempt and moves the row behind the others.
            await self._steps.change(Change(row.order_id, begin=(row,)))
            return
        refused = row.step == UNBOOK and isinstance(error, IllegalState)
        ended = Finish(row.step, FAILED if refused else STUCK, reason=error.message)
        await self._steps.change(Change(row.order_id, finish=(ended,)))
        metrics.TAKEN_BACK.labels(row.step, "refused" if refused else "stuck").inc()
