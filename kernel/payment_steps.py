"""Steps of an order's payment and their states, as `payment_step` stores them; the legal moves are payment_worker's.

order_worker inserts (debit, BARRED), which forbids a charge; (unbook, STARTED), which asks for an order that was
charged to be cancelled; and (refund, STARTED), which asks for the money of one that had failed. On an operator's word
it moves a taking-back that is STUCK to STARTED again.
"""

QUOTE, DEBIT, BOOKING, INVOICE, COINS, REFUND = "quote", "debit", "booking", "invoice", "coins", "refund"
AFTER_PIVOT = (BOOKING, INVOICE, COINS)
# A cancel's own pivot is the carrier's yes: the others begin in the commit that stores it.
UNBOOK, CREDIT, REVOKE = "unbook", "credit", "revoke"
TAKING_BACK = (UNBOOK, REFUND, CREDIT, REVOKE)
STARTED, DONE, FAILED, BARRED, STUCK = "STARTED", "DONE", "FAILED", "BARRED", "STUCK"


def key_of(order_id: str, step: str) -> str:
    """The provider's idempotency key: the same on every retry, for ever."""
    return f"{order_id}:{step}"
