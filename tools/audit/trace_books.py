"""What the provider's own books hold of one order."""

import sqlite3
from contextlib import closing
from pathlib import Path

from kernel.payment_steps import BOOKING, COINS, CREDIT, DEBIT, INVOICE, QUOTE, REFUND, REVOKE, UNBOOK, key_of
from tools.audit.trace_event import Event

_MONEY = "amount_minor || ' ' || currency"
# Each table of the journal with a line an order: under which step's key, what was done, and the columns worth telling.
TABLES = {
    "quotes": (QUOTE, "quoted", "price_minor || ' ' || currency || ', zone ' || zone"),
    "debits": (DEBIT, "debit", f"state || ' ' || {_MONEY} || ' ' || reason"),
    "bookings": (BOOKING, "booked", "tracking_number"),
    "invoices": (INVOICE, "invoiced", f"'number ' || invoice_number || ', ' || {_MONEY}"),
    "grants": (COINS, "coins granted", "coins || ' coins'"),
    "unbookings": (UNBOOK, "unbooked", "outcome || ' ' || tracking_number"),
    "refunds": (REFUND, "refunded", "transfer_id"),
    "credit_notes": (CREDIT, "credit note", f"'number ' || credit_note_number || ', ' || {_MONEY}"),
    "revocations": (REVOKE, "coins revoked", "coins || ' coins'"),
}


def read_books(path: Path, order_id: str) -> list[Event]:
    """Raises sqlite3.Error."""
    events = []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as books:
        for table, (step, what, said) in TABLES.items():
            query = f"SELECT at_ms, {said} FROM {table} WHERE key = ?"  # noqa: S608 names of ours
            for at_ms, detail in books.execute(query, (key_of(order_id, step),)):
                events.append(Event(at_ms, "provider", what, str(detail).strip()))
        keys = [key_of(order_id, step) for step in (DEBIT, REFUND)]
        query = "SELECT at_ms, kind, transfer_id FROM transfers WHERE key IN (?, ?)"
        for at_ms, kind, transfer in books.execute(query, keys):
            events.append(Event(at_ms, "provider", f"money moved: {kind}", transfer))
    return events
