"""What payment_worker counts."""

from meshkit.metrics import counter, gauge, histogram

SETTLEMENTS = counter("peakmesh_payment_settlements_total", "records settled, by how they ended", ["ending"])
SETTLE_SECONDS = histogram("peakmesh_payment_settle_seconds", "from the record to its end")
IN_FLIGHT = gauge("peakmesh_payment_in_flight", "orders being settled")
CALL_SECONDS = histogram("peakmesh_payment_provider_seconds", "one call to a provider", ["provider", "outcome"])
RETRIES = counter("peakmesh_payment_inline_retries_total", "calls repeated in place", ["provider"])
BUDGET_EMPTY = counter("peakmesh_payment_retry_budget_empty_total", "retries not made for want of budget", ["provider"])
COMMIT_ORDERS = histogram(
    "peakmesh_payment_step_commit_orders", "orders a step transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
COMMIT_SECONDS = histogram("peakmesh_payment_step_commit_seconds", "one step transaction")
ESCALATED = counter("peakmesh_payment_escalated_total", "records sent to a retry topic or the DLQ", ["topic"])
TAKEN_BACK = counter(
    "peakmesh_payment_taken_back_total", "bookings, money, invoices and coins taken back", ["step", "ending"]
)
