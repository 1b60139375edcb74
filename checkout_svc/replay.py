"""The answer to a request that was made before: the first order, and QUEUED only where nothing can undo it."""

import time

from checkout_svc.intake import Intake
from checkout_svc.purchase import Answer, Promotion, PromotionState
from kernel.offers import Offer
from kernel.stock.port import Mark, ReserveResult, StockPort
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderIntake


class Replay:
    """An outbox entry that is gone was acknowledged. One that is there may be published again by a retry."""

    def __init__(self, stock: StockPort, intake: Intake) -> None:
        self._stock, self._intake = stock, intake

    async def __call__(self, offer: Offer, first: ReserveResult, quoted: Promotion, answer_by: float) -> Answer:
        """`quoted` stands in for the first quote once the event is gone: vouchers are pure reads."""
        held = await self._stock.reservation(first.order_id)
        deadline_ms = held.deadline_ms if held else 0
        entry = await self._stock.outbox_entry(first.order_id) if first.entry_present else None
        if entry is None:
            queued = (held.mark if held else first.mark) is not Mark.CANCELLING
            return Answer(first.order_id, queued, deadline_ms, quoted, offer.currency)
        order = OrderIntake.FromString(entry.event).accepted
        queued = await self._again(offer, first.order_id, entry.event, entry.mark, answer_by)
        return Answer(first.order_id, queued, deadline_ms, _promotion(order), offer.currency)

    async def _again(self, offer: Offer, order_id: str, event: bytes, mark: Mark, answer_by: float) -> bool:
        """Publishes once more. The mark is dropped only after the ack, and never when a cancel has begun."""
        if mark is Mark.CANCELLING:
            return False
        if not await self._intake.accepted(order_id, event, answer_by - time.monotonic()):
            await self._stock.mark_pending(offer.epoch, order_id)
            return False
        return await self._stock.clear_pending(offer.epoch, order_id)


def _promotion(order: AcceptedOrder) -> Promotion:
    state = PromotionState.APPLIED if order.voucher_code else PromotionState.NONE
    return Promotion(state, order.discount_minor)
