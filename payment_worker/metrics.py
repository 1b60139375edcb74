"""What payment_worker counts."""

from meshkit.metrics import counter, gauge, histogram

SETTLEMENTS = counter("payment_settlements_total", "Records settled, by how they ended", ["ending"])
SETTLE_SECONDS = histogram("payment_settle_seconds", "From the record to its end")
IN_FLIGHT = gauge("payment_in_flight", "Orders being settled")
CALL_SECONDS = histogram("payment_provider_seconds", "One call to a provider", ["provider", "outcome"])
RETRIES = counter("payment_inline_retries_total", "Calls repeated in place", ["provider"])
BUDGET_EMPTY = counter("payment_retry_budget_empty_total", "Retries not made for want of budget", ["provider"])
COMMIT_ORDERS = histogram(
    "payment_step_commit_orders", "Orders a step transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
COMMIT_SECONDS = histogram("payment_step_commit_seconds", "One step transaction")
ESCALATED = counter("payment_escalated_total", "Records sent to a retry topic or the DLQ", ["topic"])
REFUNDS = counter("payment_refunds_total", "Refunds, by how they ended", ["ending"])
