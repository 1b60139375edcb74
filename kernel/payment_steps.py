"""Steps of an order's payment and their states, as `payment_step` stores them; the legal moves are payment_worker's.

order_worker inserts (debit, BARRED), which forbids a charge, and (refund, STARTED), which asks for one back; on an
operator's word it moves a refund that is STUCK to STARTED again.
"""

QUOTE, DEBIT, BOOKING, INVOICE, COINS, REFUND = "quote", "debit", "booking", "invoice", "coins", "refund"
AFTER_PIVOT = (BOOKING, INVOICE, COINS)
STARTED, DONE, FAILED, BARRED, STUCK = "STARTED", "DONE", "FAILED", "BARRED", "STUCK"


def key_of(order_id: str, step: str) -> str:
    """The provider's idempotency key: the same on every retry, for ever."""
    return f"{order_id}:{step}"
