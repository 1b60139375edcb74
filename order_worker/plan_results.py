"""What payment results do to the rows they meet. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kernel.order_states import FAILED_STATES, OrderState, legal
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult

_TARGETS = {
    PaymentOutcome.PAYMENT_OUTCOME_PAID: OrderState.PAID,
    PaymentOutcome.PAYMENT_OUTCOME_SETTLED: OrderState.TO_SHIP,
    PaymentOutcome.PAYMENT_OUTCOME_FAILED: OrderState.PAYMENT_FAILED,
    PaymentOutcome.PAYMENT_OUTCOME_REFUNDED: OrderState.REFUNDED,
}
_SUCCESSES = frozenset({OrderState.PAID, OrderState.TO_SHIP})


@dataclass(frozen=True, slots=True)
class Move:
    """`shipping_minor` None keeps what the row has."""

    old: OrderState
    new: OrderState
    shipping_minor: int | None
    reason: str


@dataclass(slots=True)
class ResultsPlan:
    """By order_id. `refunds`: successes that met a failed row; the charge must be given back, the row stays failed."""

    moves: dict[str, Move] = field(default_factory=dict)
    refunds: dict[str, PaymentResult] = field(default_factory=dict)


def plan_results(states: Mapping[str, OrderState], results: Iterable[PaymentResult]) -> ResultsPlan:
    """`results` in the order they arrived; those of orders that are not in `states` are passed over."""
    plan = ResultsPlan()
    for result in results:
        order_id = result.order_id
        if order_id not in states:
            continue
        before = plan.moves.get(order_id)
        state = before.new if before else states[order_id]
        new = _TARGETS[result.outcome]
        if legal(state, new):
            old = before.old if before else state
            plan.moves[order_id] = Move(old, new, _shipping(result, new, before), _reason(result, new))
        elif new in _SUCCESSES and state in FAILED_STATES:
            plan.refunds[order_id] = result
    return plan


def _shipping(result: PaymentResult, new: OrderState, before: Move | None) -> int | None:
    if new in _SUCCESSES:
        return result.shipping_minor
    return before.shipping_minor if before else None


def _reason(result: PaymentResult, new: OrderState) -> str:
    return "" if new in _SUCCESSES else result.reason
