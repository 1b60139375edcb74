"""What a watcher must be told between the state it knows and the one just seen. Pure.

An order's life is nearly a line, so what was passed between two looks is certain and need not be stored: 2,000
watchers cost one query a look, and the path that writes orders costs nothing more for them.
"""

# What came surely before each state on the wire. CANCELLED, PAYMENT_FAILED and REFUNDED have more ways in: see below.
_BEFORE = {
    "QUEUED": "PENDING",
    "CREATED": "QUEUED",
    "PAYING": "CREATED",
    "PAID": "PAYING",
    "TO_SHIP": "PAID",
    # From TO_SHIP as well, but that it came so far is not certain.
    "REFUNDED": "PAID",
    "EXPIRED": "CREATED",
    "CANCELLED": "CREATED",
    "FAILED_DLQ": "QUEUED",
    "REJECTED_OVERSOLD": "QUEUED",
    "REJECTED_LIMIT": "QUEUED",
    "REJECTED_DUPLICATE": "QUEUED",
    "REJECTED_STALE_EPOCH": "QUEUED",
}


def path(old: str, new: str, *, debited: bool = False) -> list[str]:
    """The states after `old` up to `new`; empty where `new` is `old`, or older news that came late.

    `debited`: a debit was begun, so a payment that failed was PAYING before.
    """
    if new == old or new in _history(old, debited=debited):
        return []
    if (old, new) == ("PENDING", "CANCELLED"):
        # The relay's cancel for want of consent, a tombstone: it never was in the queue.
        return [new]
    passed = _history(new, debited=debited)
    if old not in passed:
        return [new]
    return [*reversed(passed[: passed.index(old)]), new]


def _history(state: str, *, debited: bool) -> list[str]:
    """Everything before `state`, the latest first."""
    found: list[str] = []
    while (before := _before(state, debited=debited)) is not None:
        found.append(before)
        state = before
    return found


def _before(state: str, *, debited: bool) -> str | None:
    if state == "PAYMENT_FAILED":
        return "PAYING" if debited else "CREATED"
    return _BEFORE.get(state)
