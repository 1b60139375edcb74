"""What is bought and what is answered, in the domain's own words. Money in minor units."""

from dataclasses import dataclass
from enum import StrEnum

from peakmesh.order.v1.order_pb2 import ShippingAddress


class PromotionState(StrEnum):
    NONE = "none"
    APPLIED = "applied"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of the voucher; `discount_minor` is off price × quantity."""

    state: PromotionState = PromotionState.NONE
    discount_minor: int = 0
    reason: str = ""


NO_PROMOTION = Promotion()


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


@dataclass(frozen=True, slots=True)
class Answer:
    """`queued` False: PENDING, the outcome is unknown. `currency` is the promotion's. Times in Unix ms; 0: unknown."""

    order_id: str
    queued: bool
    deadline_ms: int
    promotion: Promotion
    currency: str
