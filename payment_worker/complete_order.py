"""After the pivot: booking, invoice and coins, each retried until it is done or listed as STUCK."""

import asyncio
from collections.abc import Mapping

from kernel.payment_steps import AFTER_PIVOT, DEBIT, DONE, STUCK
from meshkit.errors import PeakmeshError
from payment_worker.charge_order import UnsettledError
from payment_worker.given_back import check_not_given_back
from payment_worker.order import Order
from payment_worker.patience import Patience, is_passing
from payment_worker.ports import Providers, Steps
from payment_worker.step_rows import OPEN, Applied, Change, Finish, Rows


class CompleteOrder:
    """Takes an order whose debit is DONE to the end. Raises UnsettledError, the order stays PAID then; GivenBack."""

    def __init__(self, steps: Steps, providers: Providers, patience: Mapping[str, Patience]) -> None:
        self._steps, self._providers, self._patience = steps, providers, patience

    async def __call__(self, order: Order, rows: Rows, *, last_try: bool) -> None:
        amount = rows[DEBIT].amount_minor
        open_steps = [step for step in AFTER_PIVOT if rows[step].state in OPEN]
        ended = await asyncio.gather(*(self._call(order, step, amount, last_try) for step in open_steps))
        done = tuple(each for each in ended if isinstance(each, Finish))
        failed = [each for each in ended if isinstance(each, UnsettledError)]
        if any(not each.retry for each in failed):
            # A provider refuses what was cancelled meanwhile: that is no step to list as STUCK.
            check_not_given_back((await self._finish(order, done)).rows, last_try=last_try)
        stuck = (Finish(each.step, STUCK, reason=each.reason) for each in failed if not each.retry)
        # The done in one change, each stuck one in its own: it loses where another settlement was luckier.
        changes = [done, *((each,) for each in stuck)]
        await asyncio.gather(*(self._finish(order, finish) for finish in changes if finish))
        if failed:
            raise next((each for each in failed if each.retry), failed[0])

    async def _call(self, order: Order, step: str, amount: int, last_try: bool) -> Finish | UnsettledError:
        try:
            made = await self._patience[step].persist(lambda _: self._providers.complete(order, step, amount))
        except PeakmeshError as error:
            return UnsettledError(step, error, retry=is_passing(error) and not last_try)
        return Finish(step, DONE, provider_ref=made)

    async def _finish(self, order: Order, finish: tuple[Finish, ...]) -> Applied:
        return await self._steps.change(Change(order.order_id, finish=finish))
