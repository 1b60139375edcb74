"""CheckoutService: protos to the domain and back."""

from typing import Any, Protocol

from checkout_svc.cart import CartLine
from checkout_svc.check_cart import to_checkout
from checkout_svc.check_request import to_purchase
from checkout_svc.checkout_cart import CheckoutCart
from checkout_svc.in_progress import InProgress
from checkout_svc.line_outcome import Outcome, Refusal
from checkout_svc.metrics import ANSWERS, CART_LINES
from checkout_svc.place_order import PlaceOrder
from checkout_svc.purchase import Answer, Promotion, PromotionState
from meshkit.errors import PeakmeshError
from meshkit.money import from_minor
from meshkit.rpc.edge import caller
from meshkit.rpc.times import timestamp
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion_pb

QUEUED = "You are in queue. Your order is being processed."
PENDING = "Your order is not confirmed yet. Look it up by its order_id, or ask again with the same request_id."

# Bound once: a lookup by label costs 1 µs.
_QUEUED, _PENDING = ANSWERS.labels("QUEUED"), ANSWERS.labels("PENDING")
_STATES = {
    PromotionState.NONE: promotion_pb.PROMOTION_STATE_UNSPECIFIED,
    PromotionState.APPLIED: promotion_pb.PROMOTION_STATE_APPLIED,
    PromotionState.REFUSED: promotion_pb.PROMOTION_STATE_REFUSED,
    PromotionState.UNAVAILABLE: promotion_pb.PROMOTION_STATE_UNAVAILABLE,
}


class Queue(Protocol):
    def eta_seconds(self) -> float | None: ...


class CheckoutServicer(rpc.CheckoutServiceServicer):
    def __init__(
        self, place_order: PlaceOrder, checkout_cart: CheckoutCart, queue: Queue, in_progress: InProgress
    ) -> None:
        self._place_order, self._checkout_cart = place_order, checkout_cart
        self._queue, self._in_progress = queue, in_progress

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, _context: Any) -> pb.PlaceOrderResponse:
        try:
            with self._in_progress:
                answer = await self._place_order(to_purchase(request, caller()))
        except PeakmeshError as error:
            ANSWERS.labels(error.reason).inc()
            raise
        (_QUEUED if answer.queued else _PENDING).inc()
        return self._response(answer)

    async def CheckoutCart(self, request: pb.CheckoutCartRequest, _context: Any) -> pb.CheckoutCartResponse:
        lines = await self._checkout_cart(to_checkout(request, caller()))
        return pb.CheckoutCartResponse(lines=[self._line(line, outcome) for line, outcome in lines])

    def _line(self, line: CartLine, outcome: Outcome) -> pb.CheckoutLine:
        answer = pb.CheckoutLine(sale_id=line.sale_id, sku=line.sku, quantity=line.quantity)
        if isinstance(outcome, Refusal):
            CART_LINES.labels(outcome.reason).inc()
            answer.refusal.CopyFrom(_refusal(outcome))
        else:
            CART_LINES.labels("QUEUED" if outcome.queued else "PENDING").inc()
            answer.order.CopyFrom(self._response(outcome))
        return answer

    def _response(self, answer: Answer) -> pb.PlaceOrderResponse:
        return pb.PlaceOrderResponse(
            acceptance=pb.ACCEPTANCE_QUEUED if answer.queued else pb.ACCEPTANCE_PENDING,
            order_id=answer.order_id,
            message=QUEUED if answer.queued else PENDING,
            queue_eta_seconds=self._queue.eta_seconds(),
            promotion=_outcome(answer.promotion, answer.currency),
            expire_time=timestamp(answer.deadline_ms) if answer.deadline_ms else None,
        )


def _outcome(promotion: Promotion, currency: str) -> pb.PromotionOutcome | None:
    if promotion.state is PromotionState.NONE:
        return None
    return pb.PromotionOutcome(
        state=_STATES[promotion.state],
        discount=from_minor(promotion.discount_minor, currency),
        reason=promotion.reason,
    )


def _refusal(refusal: Refusal) -> pb.LineRefusal:
    answer = pb.LineRefusal(
        reason=refusal.reason, message=refusal.message, metadata=refusal.metadata, final=refusal.final
    )
    if refusal.retry_after is not None:
        answer.retry_after.FromNanoseconds(int(refusal.retry_after * 1e9))
    return answer
