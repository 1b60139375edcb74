"""The provider's own books, read-only: what it really did, whatever we believe of it."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from kernel.payment_steps import DEBIT
from tools.audit.facts import Debit, Journal, Ledger, Transfer

_SETTLING = {
    "booking": "SELECT key FROM bookings",
    "invoice": "SELECT key FROM invoices",
    "coins": "SELECT key FROM grants",
}
_TAKING_BACK = {
    "booking": "SELECT booking_key FROM unbookings WHERE outcome = 'CANCELLED'",
    "invoice": "SELECT invoice_key FROM credit_notes",
    "coins": "SELECT grant_key FROM revocations",
}


def read_journal(path: Path, ours: Callable[[str], bool]) -> Journal:
    """The entries of the orders that `ours` names; the ledger as a whole. Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as books:
        books.execute("BEGIN")
        return Journal(
            transfers=[moved for moved in _transfers(books) if ours(moved.order_id)],
            debits=[debit for debit in _debits(books) if ours(debit.order_id)],
            ledger=_ledger(books),
            quotes={_order_of(key): price for key, price in books.execute("SELECT key, price_minor FROM quotes")},
            settled=_by_order(books, _SETTLING),
            taken_back=_by_order(books, _TAKING_BACK),
        )


def _order_of(key: str) -> str:
    return key.rsplit(":", 1)[0]


def _by_order(books: sqlite3.Connection, queries: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The steps whose keys a query finds, by order."""
    found: dict[str, set[str]] = defaultdict(set)
    for step, query in queries.items():
        for (key,) in books.execute(query):
            found[_order_of(key)].add(step)
    return {order_id: frozenset(steps) for order_id, steps in found.items()}


def _transfers(books: sqlite3.Connection) -> Iterator[Transfer]:
    moved = books.execute(
        "SELECT key, kind, account, amount_minor, currency FROM transfers"
        " LEFT JOIN entries ON entries.transfer_id = transfers.transfer_id AND account LIKE 'user:%'"
        " WHERE kind IN ('debit', 'refund', 'void')"
    )
    for key, kind, account, amount, currency in moved:
        way = -1 if kind == DEBIT else 1
        yield Transfer(_order_of(key), kind, (account or "").removeprefix("user:"), way * (amount or 0), currency or "")


def _debits(books: sqlite3.Connection) -> Iterator[Debit]:
    rows = books.execute(
        "SELECT key, user_id, amount_minor, currency, refund_transfer_id FROM debits WHERE transfer_id <> ''"
    )
    for key, user, amount, currency, refund in rows:
        yield Debit(_order_of(key), user, amount, currency, refunded=bool(refund))


def _ledger(books: sqlite3.Connection) -> Ledger:
    unbalanced = books.execute(
        "SELECT transfer_id FROM entries GROUP BY transfer_id, currency HAVING SUM(amount_minor)"
    )
    wrong = books.execute(
        "SELECT account FROM accounts LEFT JOIN (SELECT account, currency, SUM(amount_minor) AS total FROM entries"
        " GROUP BY account, currency) USING (account, currency) WHERE balance_minor <> COALESCE(total, 0)"
    )
    negative = books.execute("SELECT account FROM accounts WHERE balance_minor < 0 AND account <> 'system'")
    return Ledger(*([name for (name,) in rows] for rows in (unbalanced, wrong, negative)))
