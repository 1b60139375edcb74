"""Makes the STARTED row of a step, before it is inserted."""

from meshkit.clock import wall_ms
from payment_worker.order import Order
from payment_worker.step_rows import StepRow

# Three calls of 2 s and a walk along the retry topics' first rung: a step older than this deserves a look.
OVERDUE_MS = 30_000


def begin_step(order: Order, step: str, amount_minor: int = 0) -> StepRow:
    return StepRow(
        order.order_id,
        step,
        amount_minor=amount_minor,
        currency=order.currency,
        deadline_ms=wall_ms() + OVERDUE_MS,
    )
