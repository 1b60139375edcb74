"""What the provider's own books hold of one order."""

import sqlite3
from contextlib import closing
from pathlib import Path

from kernel.payment_steps import AFTER_PIVOT, DEBIT, QUOTE, REFUND, key_of
from tools.audit.trace_event import Event

# What was done under which key, and the columns worth telling.
_TABLES = {
    "quotes": (QUOTE, "quoted", "price_minor || ' ' || currency || ', zone ' || zone"),
    "debits": (DEBIT, "debit", "state || ' ' || amount_minor || ' ' || currency || ' ' || reason"),
    "refunds": (REFUND, "refund", "transfer_id"),
    "bookings": (AFTER_PIVOT[0], "booked", "tracking_number"),
    "invoices": (AFTER_PIVOT[1], "invoiced", "'number ' || invoice_number || ', ' || amount_minor || ' ' || currency"),
    "grants": (AFTER_PIVOT[2], "coins granted", "coins || ' coins'"),
}


def read_books(path: Path, order_id: str) -> list[Event]:
    """Raises sqlite3.Error."""
    events = []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as books:
        for table, (step, what, said) in _TABLES.items():
            query = f"SELECT at_ms, {said} FROM {table} WHERE key = ?"  # noqa: S608 names of ours
            for at_ms, detail in books.execute(query, (key_of(order_id, step),)):
                events.append(Event(at_ms, "provider", what, str(detail).strip()))
        keys = [key_of(order_id, step) for step in (DEBIT, REFUND)]
        query = "SELECT at_ms, kind, transfer_id FROM transfers WHERE key IN (?, ?)"
        for at_ms, kind, transfer in books.execute(query, keys):
            events.append(Event(at_ms, "provider", f"money moved: {kind}", transfer))
    return events
