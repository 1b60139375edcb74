"""CheckoutService: protos to the domain and back."""

from typing import Any, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from checkout_svc.metrics import ANSWERS
from checkout_svc.place_order import PlaceOrder
from checkout_svc.purchase import Answer, Promotion, PromotionState, Purchase
from kernel.request_hash import request_hash
from meshkit.errors import PeakmeshError
from meshkit.identity import Identity, Role
from meshkit.money import from_minor
from meshkit.rpc.edge import caller
from meshkit.rpc.fields import Fields
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion_pb

QUEUED = "You are in queue. Your order is being processed."
PENDING = "Your unit is held, but the queue has not confirmed it yet. Ask again with the same request_id."

_STATES = {
    PromotionState.NONE: promotion_pb.PROMOTION_STATE_UNSPECIFIED,
    PromotionState.APPLIED: promotion_pb.PROMOTION_STATE_APPLIED,
    PromotionState.REFUSED: promotion_pb.PROMOTION_STATE_REFUSED,
    PromotionState.UNAVAILABLE: promotion_pb.PROMOTION_STATE_UNAVAILABLE,
}


class Queue(Protocol):
    def eta_seconds(self) -> float | None: ...


class CheckoutServicer(rpc.CheckoutServiceServicer):
    def __init__(self, place_order: PlaceOrder, queue: Queue) -> None:
        self._place_order, self._queue = place_order, queue

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, _context: Any) -> pb.PlaceOrderResponse:
        try:
            answer = await self._place_order(_purchase(request, caller()))
        except PeakmeshError as error:
            ANSWERS.labels(error.reason).inc()
            raise
        ANSWERS.labels("QUEUED" if answer.queued else "PENDING").inc()
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


def _purchase(request: pb.PlaceOrderRequest, who: Identity) -> Purchase:
    """Raises InvalidFields with every field that is wrong."""
    _check(request, who)
    buyer = request.buyer_id or who.user_id
    return Purchase(
        user_id=buyer,
        sale_id=request.sale_id,
        sku=request.sku,
        quantity=request.quantity,
        request_id=request.request_id.lower(),
        request_hash=request_hash(request, buyer),
        price_version=request.price_version,
        address=request.shipping_address,
        voucher_code=request.voucher_code,
        require_promotion=request.require_promotion,
        placed_by=who.user_id if request.buyer_id else "",
    )


def _check(request: pb.PlaceOrderRequest, who: Identity) -> None:
    fields = Fields()
    fields.ident("sale_id", request.sale_id)
    fields.ident("sku", request.sku)
    fields.between("quantity", request.quantity, 1, 100)
    fields.uuid("request_id", request.request_id)
    fields.between("price_version", request.price_version, 1, 2**31 - 1)
    if request.voucher_code:
        fields.ident("voucher_code", request.voucher_code)
    fields.require(
        bool(request.voucher_code) or not request.require_promotion,
        "require_promotion",
        "needs a voucher_code",
    )
    _check_address(fields, request)
    if request.buyer_id:
        fields.require(who.role is Role.SERVICE, "buyer_id", "role service alone may name a buyer")
        fields.ident("buyer_id", request.buyer_id)
    else:
        # The token's subject goes into Redis keys like every other id.
        fields.ident("token.sub", who.user_id)
    fields.check()


def _check_address(fields: Fields, request: pb.PlaceOrderRequest) -> None:
    address = request.shipping_address
    fields.text("shipping_address.recipient", address.recipient, 1, 100)
    fields.text("shipping_address.street", address.street, 1, 200)
    fields.text("shipping_address.city", address.city, 1, 100)
    fields.text("shipping_address.postal_code", address.postal_code, 1, 16)
    country = address.country_code
    good = len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    fields.require(good, "shipping_address.country_code", "must be an ISO 3166-1 alpha-2 code in upper case")
