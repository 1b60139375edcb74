"""An order as a message ⇄ as a row of `orders`."""

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict

from kernel.order_states import OrderState
from kernel.schema import REASON_CHARS
from order_worker.plan_batch import NewRow
from peakmesh.event.v1.events_pb2 import AcceptedOrder
from peakmesh.order.v1.order_pb2 import ShippingAddress

# Columns named as the message's fields. order_id, request_id and the address need a word more.
_SAME = (
    "offer_no",
    "sale_id",
    "sku",
    "user_id",
    "request_hash",
    "quantity",
    "unit_price_minor",
    "price_version",
    "currency",
    "discount_minor",
    "voucher_code",
    "unit_weight_grams",
    "epoch",
    "placed_by",
    "accepted_ms",
    "deadline_ms",
)


def to_values(row: NewRow, now_ms: int) -> dict[str, Any]:
    """Values of one INSERT into `orders`."""
    order = row.order
    values: dict[str, Any] = {name: getattr(order, name) for name in _SAME}
    address = MessageToDict(order.shipping_address, preserving_proto_field_name=True)
    return values | {
        "order_id": order.order_id,
        "request_id": row.request_id,
        "address": json.dumps(address, ensure_ascii=False),
        "state": row.state.value,
        "reason": row.reason[:REASON_CHARS],
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }


def to_message(row: Mapping[str, Any]) -> AcceptedOrder:
    """The order that the row was made from."""
    address = ParseDict(json.loads(row["address"]), ShippingAddress(), ignore_unknown_fields=True)
    order = AcceptedOrder(order_id=row["order_id"], request_id=row["request_id"] or "", shipping_address=address)
    for name in _SAME:
        setattr(order, name, row[name])
    return order


def failed_values(order: AcceptedOrder, reason: str, now_ms: int) -> dict[str, Any]:
    """A FAILED_DLQ row that any order with a readable id and buyer fits into; it holds no stock and no request_id."""
    slim = AcceptedOrder(
        order_id=order.order_id,
        offer_no=order.offer_no,
        sale_id=order.sale_id,
        sku=order.sku,
        user_id=order.user_id,
        quantity=order.quantity,
        epoch=order.epoch,
        accepted_ms=order.accepted_ms,
        deadline_ms=order.deadline_ms,
    )
    values = to_values(NewRow(slim, OrderState.FAILED_DLQ, reason), now_ms)
    return values | {"request_id": None}
