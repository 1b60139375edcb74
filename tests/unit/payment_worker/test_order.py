import pytest

from kernel.carried import carried
from meshkit.errors import Undecodable
from payment_worker.order import decode_order
from peakmesh.event.v1 import events_pb2 as events

TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"


def message(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "order_id": "o",
        "user_id": "u",
        "quantity": 3,
        "unit_price_minor": 1_000,
        "discount_minor": 250,
        "currency": "EUR",
        "unit_weight_grams": 200,
    }
    return events.OrderCreated(order=events.AcceptedOrder(**(fields | changes))).SerializeToString()  # type: ignore[arg-type]


def test_the_amount_is_price_times_quantity_less_discount_plus_shipping() -> None:
    order = decode_order(message())
    assert order.amount(490) == 3 * 1_000 - 250 + 490
    assert order.weight_grams == 600


@pytest.mark.parametrize(
    "changes",
    [{"order_id": ""}, {"user_id": ""}, {"quantity": 0}, {"currency": "XXX"}, {"discount_minor": 4_000}],
    ids=lambda changes: next(iter(changes)),
)
def test_an_order_that_cannot_be_paid_for_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Undecodable):
        decode_order(message(**changes))


@pytest.mark.parametrize("value", [b"", b"\xff\xff", b"\x0a\xff"])
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_order(value)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, {"x-peakmesh-criticality": "CORE"}),
        ({"criticality": b"SHEDDABLE"}, {"x-peakmesh-criticality": "SHEDDABLE"}),
        ({"criticality": b"\xff", "traceparent": b"\xff\n"}, {"x-peakmesh-criticality": "CORE"}),
        ({"traceparent": b"00-ab-cd-01"}, {"x-peakmesh-criticality": "CORE"}),
        (
            {"traceparent": TRACE.encode(), "deadline-ms": b"1"},
            {"x-peakmesh-criticality": "CORE", "traceparent": TRACE},
        ),
    ],
)
def test_providers_are_told_the_orders_worth_and_trace_and_no_deadline(
    headers: dict[str, bytes], told: dict[str, str]
) -> None:
    assert dict(decode_order(message(), carried(headers)).metadata) == told
