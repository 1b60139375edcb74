"""Orders for tests of order_worker."""

from uuid import UUID

from kernel.order_ids import new_order_id
from order_worker.plan_batch import Intake
from peakmesh.event.v1.events_pb2 import AcceptedOrder

OFFER = 7


def request_id(number: int) -> str:
    return str(UUID(int=number + 1))


def an_order(user: str = "ana", request: int = 0, quantity: int = 1, **fields: object) -> AcceptedOrder:
    """A valid order of OFFER with an id of its own; `fields` overrides any of them."""
    values = {
        "order_id": new_order_id(OFFER, 0),
        "offer_no": OFFER,
        "sale_id": "sale",
        "sku": "sku",
        "quantity": quantity,
        "user_id": user,
        "request_id": request_id(request),
        "request_hash": "ab" * 16,
        "unit_price_minor": 1999,
        "currency": "EUR",
        "price_version": 1,
        "unit_weight_grams": 100,
        "accepted_ms": 1_800_000_000_000,
        "deadline_ms": 1_800_000_600_000,
        "epoch": 1,
    }
    return AcceptedOrder(**{**values, **fields})  # type: ignore[arg-type]


def arrived(order: AcceptedOrder, offset: int = 0, *, cancelled: bool = False) -> Intake:
    return Intake(order, 0, offset, cancelled=cancelled, reason="nobody asked" if cancelled else "")
