"""CheckoutService: protos to the domain and back."""

from typing import Any, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from checkout_svc.check_request import to_purchase
from checkout_svc.metrics import ANSWERS
from checkout_svc.place_order import PlaceOrder
from checkout_svc.purchase import Answer, Promotion, PromotionState
from meshkit.errors import Overloaded, PeakmeshError
from meshkit.money import from_minor
from meshkit.rpc.edge import caller
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
    """`most`: orders in progress at once; what comes on top is told to come back, before anything is reserved."""

    def __init__(self, place_order: PlaceOrder, queue: Queue, most: int) -> None:
        self._place_order, self._queue = place_order, queue
        self._most, self._in_progress = most, 0

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, _context: Any) -> pb.PlaceOrderResponse:
        self._in_progress += 1
        try:
            if self._in_progress > self._most:
                raise Overloaded("too many orders are in progress", retry_after=1.0)
            answer = await self._place_order(to_purchase(request, caller()))
        except PeakmeshError as error:
            ANSWERS.labels(error.reason).inc()
            raise
        finally:
            self._in_progress -= 1
        (_QUEUED if answer.queued else _PENDING).inc()
        return self._response(answer)

    def _response(self, answer: Answer) -> pb.PlaceOrderResponse:
        expires = Timestamp()
        expires.FromMilliseconds(answer.deadline_ms)
        return pb.PlaceOrderResponse(
            acceptance=pb.ACCEPTANCE_QUEUED if answer.queued else pb.ACCEPTANCE_PENDING,
            order_id=answer.order_id,
            message=QUEUED if answer.queued else PENDING,
            queue_eta_seconds=self._queue.eta_seconds(),
            promotion=_outcome(answer.promotion, answer.currency),
            expire_time=expires if answer.deadline_ms else None,
        )


def _outcome(promotion: Promotion, currency: str) -> pb.PromotionOutcome | None:
    if promotion.state is PromotionState.NONE:
        return None
    return pb.PromotionOutcome(
        state=_STATES[promotion.state],
        discount=from_minor(promotion.discount_minor, currency),
        reason=promotion.reason,
    )
