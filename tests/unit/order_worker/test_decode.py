"""Bytes that are no order are refused by name, and never raise anything else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.kafka.consumer import Record
from order_worker.decode import Unreadable, decode_intake, decode_result
from order_worker.plan_batch import FencePassed, Intake
from peakmesh.event.v1.events_pb2 import CancelledOrder, Fence, OrderIntake, PaymentResult
from tests.unit.order_worker.orders import an_order


def record(value: bytes) -> Record:
    return Record("orders.intake", 2, 17, "key", value, {}, 0)


def test_the_three_bodies() -> None:
    order = an_order()
    accepted = decode_intake(record(OrderIntake(accepted=order).SerializeToString()))
    assert accepted == Intake(order, 2, 17)
    cancelled = OrderIntake(cancelled=CancelledOrder(order=order, reason="nobody asked"))
    assert decode_intake(record(cancelled.SerializeToString())) == Intake(order, 2, 17, True, "nobody asked")
    fence = decode_intake(record(OrderIntake(fence=Fence(epoch=3, partition=2)).SerializeToString()))
    assert fence == FencePassed(2, 17, 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"order_id": "x"},
        {"offer_no": 8},
        {"user_id": ""},
        {"user_id": "a{b}"},
        {"user_id": "ana "},
        {"request_id": "1"},
        {"quantity": 0},
        {"quantity": -1},
        {"sku": "s" * 65},
        {"discount_minor": -5},
    ],
)
def test_an_order_out_of_range_is_unreadable(fields: dict[str, object]) -> None:
    value = OrderIntake(accepted=an_order(**fields)).SerializeToString()  # type: ignore[arg-type]
    with pytest.raises(Unreadable):
        decode_intake(record(value))


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_unreadable(value: bytes) -> None:
    assert isinstance(_outcome(decode_intake, value), Intake | FencePassed | Unreadable)
    assert isinstance(_outcome(decode_result, value), PaymentResult | Unreadable)


def _outcome(decode: Callable[[Record], object], value: bytes) -> object:
    try:
        return decode(record(value))
    except Unreadable as error:
        return error


def test_a_result_without_an_outcome_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        decode_result(record(PaymentResult(order_id=an_order().order_id).SerializeToString()))
