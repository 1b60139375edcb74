"""The wallet's rules: the first outcome under a key is recorded, a decline too, and given again."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshkit.clock import wall_ms
from meshkit.errors import KeyBarred, KeyNotFound
from tools.providers.journal import Journal
from tools.providers.ledger import MERCHANT, balance, open_wallet, set_balance, transfer, wallet_of

DONE, DECLINED, VOIDED = "DONE", "DECLINED", "VOIDED"
_FIND = (
    "SELECT key, state, user_id, amount_minor, currency, transfer_id, refund_transfer_id, reason FROM debits"
    " WHERE key = ?"
)


@dataclass(frozen=True, slots=True)
class Debit:
    """One row of `debits`. Money in minor units; empty strings where nothing applies."""

    key: str
    state: str
    user_id: str
    amount_minor: int
    currency: str
    transfer_id: str = ""
    refund_transfer_id: str = ""
    reason: str = ""


def _never(_key: str) -> bool:
    return False


class Wallet:
    """`declines(key)`: whether the provider says no to this debit, whatever the wallet holds."""

    def __init__(self, journal: Journal, opening_minor: int, declines: Callable[[str], bool] = _never) -> None:
        self._journal, self._opening_minor, self._declines = journal, opening_minor, declines

    def debit(self, key: str, user_id: str, amount_minor: int, currency: str) -> Debit:
        """Raises KeyBarred where the key names another debit. A key voided before answers VOIDED."""

        def work(db: sqlite3.Connection) -> Debit:
            known = _find(db, key)
            if known is None:
                return self._decide(db, key, user_id, amount_minor, currency)
            barred_unseen = known.state == VOIDED and not known.user_id
            same = (known.user_id, known.amount_minor, known.currency) == (user_id, amount_minor, currency)
            if not same and not barred_unseen:
                raise KeyBarred("this key names another debit", metadata={"idempotency_key": key})
            return known

        return self._journal.run(work)

    def _decide(self, db: sqlite3.Connection, key: str, user_id: str, amount_minor: int, currency: str) -> Debit:
        if self._declines(key):
            return _insert(db, Debit(key, DECLINED, user_id, amount_minor, currency, reason="the provider declined"))
        open_wallet(db, user_id, self._opening_minor, currency)
        moved = transfer(db, "debit", key, wallet_of(user_id), MERCHANT, amount_minor, currency)
        if not moved:
            return _insert(db, Debit(key, DECLINED, user_id, amount_minor, currency, reason="insufficient funds"))
        return _insert(db, Debit(key, DONE, user_id, amount_minor, currency, moved))

    def refund(self, key: str, debit_key: str) -> str:
        """The id of the transfer that gave the money back: once a debit, whether by a refund or by a void.

        Raises KeyNotFound where no such debit took money, KeyBarred where either key is part of another refund.
        """

        def work(db: sqlite3.Connection) -> str:
            known = db.execute("SELECT * FROM refunds WHERE key = ? OR debit_key = ?", (key, debit_key)).fetchone()
            if known is not None:
                if (known["key"], known["debit_key"]) != (key, debit_key):
                    raise KeyBarred("this refund is recorded under other keys", metadata={"idempotency_key": key})
                return str(known["transfer_id"])
            debit = _find(db, debit_key)
            if debit is None or not debit.transfer_id:
                raise KeyNotFound("no debit under this key took money", metadata={"idempotency_key": debit_key})
            moved = debit.refund_transfer_id or _give_back(db, "refund", key, debit)
            db.execute("UPDATE debits SET refund_transfer_id = ? WHERE key = ?", (moved, debit_key))
            db.execute("INSERT INTO refunds VALUES (?, ?, ?, ?)", (key, debit_key, moved, wall_ms()))
            return moved

        return self._journal.run(work)

    def void(self, key: str) -> Debit:
        """Bars the key for ever, one never seen too; what was taken is given back, once."""

        def work(db: sqlite3.Connection) -> Debit:
            known = _find(db, key)
            if known is None:
                return _insert(db, Debit(key, VOIDED, "", 0, "", reason="voided before it came"))
            if known.state != VOIDED:
                owed = known.state == DONE and not known.refund_transfer_id
                moved = _give_back(db, "void", key, known) if owed else known.refund_transfer_id
                change = "UPDATE debits SET state = 'VOIDED', refund_transfer_id = ? WHERE key = ?"
                db.execute(change, (moved, key))
            return _require(db, key)

        return self._journal.run(work)

    def find(self, key: str) -> Debit:
        """Raises KeyNotFound, which is no outcome: the debit may still arrive."""
        return self._journal.run(lambda db: _require(db, key))

    def set_balances(self, user_ids: Sequence[str], wanted_minor: int, currency: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            for user_id in user_ids:
                set_balance(db, user_id, wanted_minor, currency)

        self._journal.run(work)

    def balance(self, user_id: str, currency: str) -> int:
        known = self._journal.run(lambda db: balance(db, wallet_of(user_id), currency))
        return self._opening_minor if known is None else known


def _find(db: sqlite3.Connection, key: str) -> Debit | None:
    row = db.execute(_FIND, (key,)).fetchone()
    return None if row is None else Debit(*row)


def _require(db: sqlite3.Connection, key: str) -> Debit:
    found = _find(db, key)
    if found is None:
        raise KeyNotFound("no debit is recorded under this key", metadata={"idempotency_key": key})
    return found


def _insert(db: sqlite3.Connection, debit: Debit) -> Debit:
    row = (debit.key, debit.state, debit.user_id, debit.amount_minor, debit.currency)
    more = (debit.transfer_id, debit.refund_transfer_id, debit.reason, wall_ms())
    db.execute("INSERT INTO debits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row + more)
    return debit


def _give_back(db: sqlite3.Connection, kind: str, key: str, debit: Debit) -> str:
    return transfer(db, kind, key, MERCHANT, wallet_of(debit.user_id), debit.amount_minor, debit.currency)
