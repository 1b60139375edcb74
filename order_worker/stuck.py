"""Why an order may need a person, and what that person does. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from kernel.order_states import TERMINAL_STATES, OrderState
from kernel.payment_steps import TAKING_BACK


class StuckKind(StrEnum):
    STEP = "STEP"
    DEBIT = "DEBIT"
    REFUND = "REFUND"
    OVERDUE = "OVERDUE"
    UNSETTLED = "UNSETTLED"
    FAILED = "FAILED"


class Resolution(StrEnum):
    SENT_AGAIN = "SENT_AGAIN"
    REFUND_AGAIN = "REFUND_AGAIN"
    ACKNOWLEDGED = "ACKNOWLEDGED"


ADVICE = {
    StuckKind.STEP: "paid: mend what the provider refused, then resolve; the step is called again under its key",
    StuckKind.DEBIT: "neither paid nor failed: once the wallet answers, resolve; the debit is voided, the order fails",
    StuckKind.REFUND: "a cancel or a refund sticks: mend what the provider refused, then resolve; each is called again",
    StuckKind.OVERDUE: "a charge was begun and its outcome is unknown: is payment_worker at work? then resolve",
    StuckKind.UNSETTLED: "paid, and no step is stuck: is payment_worker at work? then resolve",
    StuckKind.FAILED: "it has ended and holds no stock: tell the buyer, then resolve to take it off this list",
}


@dataclass(frozen=True, slots=True)
class StuckOrder:
    """`steps`: those that stick. `updated_ms`: since when nothing has moved."""

    order_id: str
    kind: StuckKind
    state: OrderState
    steps: tuple[str, ...]
    reason: str
    user_id: str
    sale_id: str
    updated_ms: int


def resolution_of(state: OrderState, stuck_steps: Collection[str]) -> Resolution | None:
    """The one safe thing to do; None for an order that has ended well, or failed and owes nothing.

    Sending again is safe at every point: payment_worker goes on from the steps it stored, under the same keys.
    """
    if not set(TAKING_BACK).isdisjoint(stuck_steps):
        return Resolution.REFUND_AGAIN
    if state not in TERMINAL_STATES:
        return Resolution.SENT_AGAIN
    return Resolution.ACKNOWLEDGED if state is OrderState.FAILED_DLQ else None
