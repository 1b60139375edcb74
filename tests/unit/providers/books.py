"""What holds of the books whatever happened to them; for tests."""

import sqlite3

_UNBALANCED = (
    "SELECT COUNT(*) FROM (SELECT 1 FROM entries GROUP BY transfer_id, currency HAVING SUM(amount_minor) <> 0)"
)
_DIFFERENT = """
SELECT COUNT(*) FROM accounts a WHERE balance_minor <>
  (SELECT COALESCE(SUM(amount_minor), 0) FROM entries e WHERE e.account = a.account AND e.currency = a.currency)
"""
_NEGATIVE = "SELECT COUNT(*) FROM accounts WHERE balance_minor < 0 AND account <> 'system'"
_LONELY = (
    "SELECT COUNT(*) FROM transfers t WHERE (SELECT COUNT(*) FROM entries e WHERE e.transfer_id = t.transfer_id) <> 2"
)


def faults(db: sqlite3.Connection) -> dict[str, int]:
    """Number of breaches by kind; only kinds that were breached."""
    checks = {"unbalanced": _UNBALANCED, "balance": _DIFFERENT, "negative": _NEGATIVE, "entries": _LONELY}
    counted = {name: int(db.execute(query).fetchone()[0]) for name, query in checks.items()}
    return {name: count for name, count in counted.items() if count}
