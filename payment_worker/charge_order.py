"""The pivot: debit the wallet once, or make sure that it never happens."""

from kernel.payment_steps import AFTER_PIVOT, DEBIT, DONE, FAILED, STARTED, STUCK
from meshkit.crash import crash_point
from meshkit.errors import PeakmeshError
from meshkit.log import get_logger
from payment_worker.begin_step import begin_step
from payment_worker.order import Order
from payment_worker.patience import Patience, is_passing
from payment_worker.ports import Debited, Providers, Steps
from payment_worker.step_rows import Applied, Change, Finish, Rows

log = get_logger(__name__)


class UnsettledError(Exception):
    """A step has no outcome yet. `retry`: a later try may give it one; otherwise it is listed as STUCK."""

    def __init__(self, step: str, cause: PeakmeshError, *, retry: bool) -> None:
        super().__init__(f"{step}: {cause.message}")
        self.step, self.reason, self.retry = step, cause.message, retry


class ChargeOrder:
    """Takes an order whose (debit, STARTED) is committed to DONE or FAILED. Raises UnsettledError."""

    def __init__(self, steps: Steps, providers: Providers, patience: Patience) -> None:
        self._steps, self._providers, self._patience = steps, providers, patience

    async def __call__(self, order: Order, applied: Applied, *, last_try: bool) -> Rows:
        rows = applied.rows
        if rows[DEBIT].state == STARTED:
            rows = await self._debit(order, rows, fresh=DEBIT in applied.inserted, last_try=last_try)
        if rows[DEBIT].state == STUCK:
            rows = await self._void(order, rows, last_try=last_try)
        return rows

    async def _debit(self, order: Order, rows: Rows, *, fresh: bool, last_try: bool) -> Rows:
        amount = rows[DEBIT].amount_minor

        async def attempt(n: int) -> Debited:
            # A call that may have been made before (a crash, a time-out) is asked about before it is made again.
            known = None if fresh and n == 0 else await self._providers.find_debit(order)
            return known or await self._providers.debit(order, amount)

        try:
            debited = await self._patience.persist(attempt)
        except PeakmeshError as error:
            if is_passing(error) and not last_try:
                raise UnsettledError(DEBIT, error, retry=True) from error
            # The mark first, the Void after: from here on nobody can store DONE for this debit.
            return await self._finish(order, Finish(DEBIT, STUCK, reason=error.message))
        crash_point("after_debit_call")
        return await self._finish(order, _outcome(debited), amount)

    async def _void(self, order: Order, rows: Rows, *, last_try: bool) -> Rows:
        try:
            await self._patience.persist(lambda _: self._providers.void(order))
        except PeakmeshError as error:
            raise UnsettledError(DEBIT, error, retry=is_passing(error) and not last_try) from error
        log.warning("debit voided", order_id=order.order_id, reason=rows[DEBIT].reason)
        return await self._finish(order, Finish(DEBIT, FAILED, reason=f"voided: {rows[DEBIT].reason}"))

    async def _finish(self, order: Order, finish: Finish, amount: int = 0) -> Rows:
        """The stored outcome counts, also where another settlement stored it first."""
        # The steps after the pivot begin in the commit that stores it: one disk flush less an order.
        begin = tuple(begin_step(order, step, amount) for step in AFTER_PIVOT) if finish.state == DONE else ()
        rows = (await self._steps.change(Change(order.order_id, finish=(finish,), begin=begin))).rows
        crash_point("after_debit_stored")
        return rows


def _outcome(debited: Debited) -> Finish:
    state = DONE if debited.state == "DONE" else FAILED
    reason = "" if state == DONE else debited.reason or debited.state.lower()
    return Finish(DEBIT, state, provider_ref=debited.provider_ref, reason=reason)
