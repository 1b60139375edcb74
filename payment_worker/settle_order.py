"""The saga of one order: shipping quote → debit (the pivot) → booking, invoice and coins.

Every branch is taken on stored rows, so that a replay after a crash walks the same way. Before the pivot a failure
ends the order and nothing is charged; after it, each step is retried until done or listed as STUCK.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from kernel.payment_steps import BARRED, DEBIT, DONE, FAILED, QUOTE, STARTED
from meshkit.crash import crash_point
from meshkit.errors import PeakmeshError
from payment_worker.begin_step import begin_step
from payment_worker.charge_order import ChargeOrder, UnsettledError
from payment_worker.complete_order import CompleteOrder
from payment_worker.given_back import GivenBack, check_not_given_back
from payment_worker.order import Order
from payment_worker.patience import Patience, is_passing
from payment_worker.ports import Providers, Results, Steps
from payment_worker.step_rows import OPEN, Applied, Change, Finish, Rows


class End(Enum):
    SETTLED = "settled"
    FAILED = "failed"
    RETRY = "retry"
    STUCK = "stuck"
    GIVEN_BACK = "given_back"


@dataclass(frozen=True, slots=True)
class Ending:
    """RETRY goes to the next retry topic and STUCK to the DLQ, with `reason`; TakeBack tells the end of GIVEN_BACK."""

    end: End
    reason: str = ""


class SettleOrder:
    """`patience` holds one Patience a provider, by the step that calls it."""

    def __init__(self, steps: Steps, providers: Providers, results: Results, patience: Mapping[str, Patience]) -> None:
        self._steps, self._providers, self._results, self._patience = steps, providers, results, patience
        self._charge = ChargeOrder(steps, providers, patience[DEBIT])
        self._complete = CompleteOrder(steps, providers, patience)

    async def __call__(self, order: Order, *, last_try: bool) -> Ending:
        try:
            rows = await self._pay(order, last_try)
            if DEBIT not in rows or rows[DEBIT].state in (BARRED, FAILED):
                return await self._fail(order, rows)
            return await self._finish(order, rows, last_try)
        except UnsettledError as error:
            return Ending(End.RETRY if error.retry else End.STUCK, str(error))
        except GivenBack as error:
            return Ending(End.GIVEN_BACK, str(error))

    async def _pay(self, order: Order, last_try: bool) -> Rows:
        applied = await self._begin(order, QUOTE)
        if DEBIT not in applied.rows and applied.rows[QUOTE].state == STARTED:
            applied = await self._quote(order, last_try)
        if DEBIT not in applied.rows and applied.rows[QUOTE].state == DONE:
            applied = await self._begin(order, DEBIT, order.amount(applied.rows[QUOTE].amount_minor))
        if DEBIT not in applied.rows or applied.rows[DEBIT].state not in OPEN:
            return applied.rows
        crash_point("after_debit_started")
        return await self._charge(order, applied, last_try=last_try)

    async def _quote(self, order: Order, last_try: bool) -> Applied:
        try:
            shipping = await self._patience[QUOTE].persist(lambda _: self._providers.quote(order))
        except PeakmeshError as error:
            if is_passing(error) and not last_try:
                raise UnsettledError(QUOTE, error, retry=True) from error
            failed = Finish(QUOTE, FAILED, reason=f"no shipping quote: {error.message}")
            return await self._steps.change(Change(order.order_id, finish=(failed,)))
        quoted = Finish(QUOTE, DONE, amount_minor=shipping)
        begun = begin_step(order, DEBIT, order.amount(shipping))
        # One commit for both: the debit begins only where this very quote is the stored one.
        return await self._steps.change(Change(order.order_id, finish=(quoted,), begin=(begun,)))

    async def _finish(self, order: Order, rows: Rows, last_try: bool) -> Ending:
        check_not_given_back(rows, last_try=last_try)
        completing = asyncio.ensure_future(self._complete(order, rows, last_try=last_try))
        try:
            # Paid is told at once: the three calls take as long as they take.
            await self._results.paid(order, rows)
            await completing
        finally:
            completing.cancel()
        await self._results.settled(order, rows)
        return Ending(End.SETTLED)

    async def _fail(self, order: Order, rows: Rows) -> Ending:
        if DEBIT not in rows:
            reason = rows[QUOTE].reason
        elif rows[DEBIT].state == FAILED:
            reason = rows[DEBIT].reason
        else:
            # Whoever barred it moved the order's row in the same transaction: told again, it finds nothing to move.
            reason = "barred: cancelled or expired before the debit"
            if QUOTE in rows and rows[QUOTE].state in OPEN:
                ended = Finish(QUOTE, FAILED, reason=reason)
                rows = (await self._steps.change(Change(order.order_id, finish=(ended,)))).rows
        await self._results.failed(order, rows, reason)
        return Ending(End.FAILED, reason)

    async def _begin(self, order: Order, step: str, amount_minor: int = 0) -> Applied:
        return await self._steps.change(Change(order.order_id, begin=(begin_step(order, step, amount_minor),)))
