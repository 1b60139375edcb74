"""Bytes of a record → what it says, or Unreadable."""

from google.protobuf.message import DecodeError

from kernel.order_ids import offer_of
from meshkit.ids import is_ident, is_uuid
from meshkit.kafka.consumer import Record
from order_worker.plan_batch import FencePassed, Intake
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderIntake, PaymentOutcome, PaymentResult


class Unreadable(Exception):
    """No order can be made of the bytes; the message says why."""


def decode_intake(record: Record) -> Intake | FencePassed:
    """Raises Unreadable. An empty record is one: proto3 would read it as an order without fields."""
    try:
        message = OrderIntake.FromString(record.value)
    except DecodeError as error:
        raise Unreadable(f"not an OrderIntake: {error}") from None
    match message.WhichOneof("body"):
        case "accepted":
            return Intake(_checked(message.accepted), record.partition, record.offset)
        case "cancelled":
            order = _checked(message.cancelled.order)
            reason = message.cancelled.reason or "cancelled"
            return Intake(order, record.partition, record.offset, cancelled=True, reason=reason)
        case "fence":
            return FencePassed(record.partition, record.offset, message.fence.epoch)
        case _:
            raise Unreadable("an OrderIntake without a body")


def decode_result(record: Record) -> PaymentResult:
    """Raises Unreadable."""
    try:
        result = PaymentResult.FromString(record.value)
    except DecodeError as error:
        raise Unreadable(f"not a PaymentResult: {error}") from None
    if result.outcome not in PaymentOutcome.values() or not result.outcome:
        raise Unreadable(f"outcome {result.outcome} is not known")
    _offer_of(result.order_id)
    return result


def _offer_of(order_id: str) -> int:
    try:
        return offer_of(order_id)[0]
    except ValueError as error:
        raise Unreadable(str(error)) from None


def _checked(order: AcceptedOrder) -> AcceptedOrder:
    """Ids compare byte by byte in memory but with trailing spaces cut in SQL, so only plain ones may pass."""
    wrong = [
        name
        for name, holds in (
            ("offer_no", _offer_of(order.order_id) == order.offer_no),
            ("user_id", is_ident(order.user_id)),
            ("sale_id", is_ident(order.sale_id)),
            ("sku", is_ident(order.sku)),
            ("request_id", is_uuid(order.request_id)),
            ("quantity", order.quantity > 0),
            ("unit_price_minor", order.unit_price_minor >= 0),
            ("discount_minor", order.discount_minor >= 0),
        )
        if not holds
    ]
    if wrong:
        raise Unreadable(f"order {order.order_id}: {', '.join(wrong)} out of range")
    return order
