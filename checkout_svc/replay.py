"""The answer to a request that was made before: the first order, and QUEUED only where nothing can undo it."""

from checkout_svc.intake import Intake
from checkout_svc.purchase import Answer, Promotion
from kernel.offers import Offer
from kernel.stock.port import StockPort
from kernel.stock.results import Mark, ReserveResult


class Replay:
    """An outbox entry that is gone was acknowledged; one that is there is published again.

    It never marks: the first call may be saying QUEUED at this moment, and a marked order may be cancelled.
    """

    def __init__(self, stock: StockPort, intake: Intake) -> None:
        self._stock, self._intake = stock, intake

    async def __call__(self, offer: Offer, first: ReserveResult, answer_by: float) -> Answer:
        queued = await self._queued(offer, first, answer_by)
        return Answer(first.order_id, queued, first.deadline_ms, Promotion.parse(first.answer), offer.currency)

    async def _queued(self, offer: Offer, first: ReserveResult, answer_by: float) -> bool:
        # What became of an order that was accepted GetOrder tells. A retry is told what the first call was.
        if first.mark is Mark.CANCELLING or first.state is None:
            return False
        if not first.entry_present:
            return True
        entry = await self._stock.outbox_entry(first.order_id)
        if entry is not None and (
            entry.mark is Mark.CANCELLING or not await self._intake.accepted(first.order_id, entry.event, answer_by)
        ):
            return False
        # Gone meanwhile, or acknowledged now. Mark and entry go in one script, which refuses once a cancel has begun:
        # what was read above may be older than the consent by now.
        return await self._stock.clear_pending(offer.epoch, first.order_id)
