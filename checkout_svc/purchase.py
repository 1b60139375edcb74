"""What is bought and what is answered, in the domain's own words. Money in minor units."""

from dataclasses import dataclass
from enum import StrEnum

from kernel.promotion_answers import APPLIED, applied
from kernel.request_hash import request_hash
from peakmesh.checkout.v1.checkout_service_pb2 import PlaceOrderRequest
from peakmesh.order.v1.order_pb2 import ShippingAddress

# The stock keeps at most 80 characters of an answer, the state's letter among them.
_REASON_LIMIT = 79


class PromotionState(StrEnum):
    """The values are the letters kept in the stock."""

    NONE = ""
    APPLIED = APPLIED
    REFUSED = "R"
    UNAVAILABLE = "U"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of the voucher; `discount_minor` is off price × quantity."""

    state: PromotionState = PromotionState.NONE
    discount_minor: int = 0
    reason: str = ""

    def text(self) -> str:
        """For ReserveRequest.answer: `A250`, `Rthe voucher has expired`, `U`, or nothing."""
        if self.state is PromotionState.APPLIED:
            return applied(self.discount_minor)
        return f"{self.state}{self.reason}"

    @staticmethod
    def parse(text: str) -> "Promotion":
        """Raises ValueError for what `text` cannot have made."""
        state = PromotionState(text[:1])
        if state is PromotionState.APPLIED:
            return Promotion(state, int(text[1:]))
        return Promotion(state, 0, text[1:])


@dataclass(frozen=True, slots=True)
class Quote:
    """An outcome and its hold: for `order_id`, empty without a voucher; taken `take` times, 0: there is none."""

    promotion: Promotion
    order_id: str = ""
    take: int = 0


NO_PROMOTION = Promotion()
NO_QUOTE = Quote(NO_PROMOTION)
UNAVAILABLE = Promotion(PromotionState.UNAVAILABLE, 0, "promotions do not answer; the list price holds")
SWITCHED_OFF = Promotion(PromotionState.UNAVAILABLE, 0, "promotions are switched off for now; the list price holds")


def refused(reason: str) -> Promotion:
    """Cuts the reason to what the stock can keep, so that a retry gets the very words of the first answer."""
    words = "".join(" " if letter == "|" or not letter.isprintable() else letter for letter in reason)
    return Promotion(PromotionState.REFUSED, 0, words[:_REASON_LIMIT])


@dataclass(frozen=True, slots=True)
class Purchase:
    """A checked request. `placed_by`: the service that buys for `user_id`; empty where the buyer does."""

    user_id: str
    sale_id: str
    sku: str
    quantity: int
    request_id: str
    request_hash: str
    price_version: int
    address: ShippingAddress
    voucher_code: str = ""
    require_promotion: bool = False
    placed_by: str = ""


def purchase_of(request: PlaceOrderRequest, user_id: str, placed_by: str = "") -> Purchase:
    """Of a request whose fields are good."""
    return Purchase(
        user_id=user_id,
        sale_id=request.sale_id,
        sku=request.sku,
        quantity=request.quantity,
        request_id=request.request_id.lower(),
        request_hash=request_hash(request, user_id),
        price_version=request.price_version,
        address=request.shipping_address,
        voucher_code=request.voucher_code,
        require_promotion=request.require_promotion,
        placed_by=placed_by,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """`queued` False: PENDING, the outcome is unknown. `currency` is the promotion's. Times in Unix ms; 0: unknown."""

    order_id: str
    queued: bool
    deadline_ms: int
    promotion: Promotion
    currency: str
