"""The one safe thing for each order that needs a person."""

import pytest

from kernel.order_states import OrderState
from order_worker.stuck import ADVICE, Resolution, StuckKind, resolution_of
from peakmesh.order.v1 import order_ops_service_pb2 as pb


@pytest.mark.parametrize("state", list(OrderState))
def test_an_order_is_sent_again_only_while_it_has_not_ended(state: OrderState) -> None:
    expected = {
        OrderState.CREATED: Resolution.SENT_AGAIN,
        OrderState.PAID: Resolution.SENT_AGAIN,
        OrderState.FAILED_DLQ: Resolution.ACKNOWLEDGED,
    }
    assert resolution_of(state, set()) == expected.get(state)


@pytest.mark.parametrize("state", list(OrderState))
def test_money_owed_comes_before_everything(state: OrderState) -> None:
    assert resolution_of(state, {"refund"}) is Resolution.REFUND_AGAIN


def test_every_kind_and_resolution_is_on_the_wire_and_has_advice() -> None:
    kinds = {name.removeprefix("STUCK_KIND_") for name, _ in pb.StuckKind.items()} - {"UNSPECIFIED"}
    assert kinds == set(StuckKind) == set(ADVICE)
    resolutions = {name.removeprefix("RESOLUTION_") for name, _ in pb.Resolution.items()} - {"UNSPECIFIED"}
    assert resolutions == set(Resolution)
