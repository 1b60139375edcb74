"""Every outcome against every state of the row it may meet."""

import pytest

from kernel.order_states import FAILED_STATES, OrderState
from order_worker.plan_results import Move, plan_results
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult

PAID = PaymentOutcome.PAYMENT_OUTCOME_PAID
SETTLED = PaymentOutcome.PAYMENT_OUTCOME_SETTLED
FAILED = PaymentOutcome.PAYMENT_OUTCOME_FAILED
REFUNDED = PaymentOutcome.PAYMENT_OUTCOME_REFUNDED


def result(outcome: PaymentOutcome.ValueType, shipping: int = 490) -> PaymentResult:
    return PaymentResult(order_id="o", outcome=outcome, shipping_minor=shipping, reason="because")


@pytest.mark.parametrize(
    ("state", "outcome", "new"),
    [
        (OrderState.CREATED, PAID, OrderState.PAID),
        (OrderState.CREATED, SETTLED, OrderState.TO_SHIP),
        (OrderState.CREATED, FAILED, OrderState.PAYMENT_FAILED),
        (OrderState.PAID, SETTLED, OrderState.TO_SHIP),
        (OrderState.PAID, REFUNDED, OrderState.REFUNDED),
    ],
)
def test_moves(state: OrderState, outcome: PaymentOutcome.ValueType, new: OrderState) -> None:
    plan = plan_results({"o": state}, [result(outcome)])
    assert plan.moves["o"].old is state
    assert plan.moves["o"].new is new
    assert plan.refunds == {}


@pytest.mark.parametrize("state", sorted(FAILED_STATES))
@pytest.mark.parametrize("outcome", [PAID, SETTLED])
def test_a_success_that_meets_a_failed_row_is_refunded_and_the_row_stays(
    state: OrderState, outcome: PaymentOutcome.ValueType
) -> None:
    plan = plan_results({"o": state}, [result(outcome), result(outcome)])
    assert plan.moves == {}
    assert set(plan.refunds) == {"o"}


@pytest.mark.parametrize("state", sorted(FAILED_STATES))
def test_a_refund_that_was_told_leaves_a_failed_row_failed(state: OrderState) -> None:
    plan = plan_results({"o": state}, [result(REFUNDED), result(FAILED)])
    assert plan.moves == {}
    assert plan.refunds == {}


def test_paid_and_settled_in_one_batch_are_one_move_with_the_shipping() -> None:
    plan = plan_results({"o": OrderState.CREATED}, [result(PAID), result(SETTLED), result(PAID)])
    assert plan.moves == {"o": Move(OrderState.CREATED, OrderState.TO_SHIP, 490, "")}


def test_replays_and_late_failures_move_nothing() -> None:
    for state in (OrderState.PAID, OrderState.TO_SHIP):
        assert plan_results({"o": state}, [result(PAID), result(FAILED)]).moves == {}
    assert plan_results({"o": OrderState.REFUNDED}, [result(PAID), result(SETTLED)]).refunds == {}


def test_a_failure_keeps_its_reason_and_no_shipping() -> None:
    move = plan_results({"o": OrderState.CREATED}, [result(FAILED)]).moves["o"]
    assert (move.shipping_minor, move.reason) == (None, "because")
