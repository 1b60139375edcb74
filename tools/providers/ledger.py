"""Double entry: every move of money is an immutable transfer whose entries sum to zero."""

import sqlite3

from meshkit.clock import wall_ms

SYSTEM = "system"  # where money comes from and goes to outside the sandbox; alone may be negative
MERCHANT = "merchant"


def wallet_of(user_id: str) -> str:
    return f"user:{user_id}"


def transfer(
    db: sqlite3.Connection, kind: str, key: str, source: str, target: str, amount_minor: int, currency: str
) -> str:
    """Moves `amount_minor` (above zero) from source to target; returns the transfer's id, or "" where source holds
    too little. The balance is held by the WHERE clause, so that no reader's earlier look decides."""
    for account in (source, target):
        db.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?, 0)", (account, currency))
    taken = db.execute(
        "UPDATE accounts SET balance_minor = balance_minor - :amount WHERE account = :account AND currency = :currency"
        " AND (balance_minor >= :amount OR account = 'system')",
        {"amount": amount_minor, "account": source, "currency": currency},
    )
    if taken.rowcount == 0:
        return ""
    db.execute(
        "UPDATE accounts SET balance_minor = balance_minor + ? WHERE account = ? AND currency = ?",
        (amount_minor, target, currency),
    )
    return _record(db, kind, key, {source: -amount_minor, target: amount_minor}, currency)


def _record(db: sqlite3.Connection, kind: str, key: str, amounts: dict[str, int], currency: str) -> str:
    (number,) = db.execute("SELECT COALESCE(MAX(transfer_no), 0) + 1 FROM transfers").fetchone()
    transfer_id = f"tr-{number:012d}"
    db.execute("INSERT INTO transfers VALUES (?, ?, ?, ?, ?)", (number, transfer_id, kind, key, wall_ms()))
    rows = [(transfer_id, account, currency, amount) for account, amount in amounts.items()]
    db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows)
    return transfer_id


def balance(db: sqlite3.Connection, account: str, currency: str) -> int | None:
    """Minor units; None for an account never seen."""
    found = db.execute(
        "SELECT balance_minor FROM accounts WHERE account = ? AND currency = ?", (account, currency)
    ).fetchone()
    return None if found is None else int(found[0])


def open_wallet(db: sqlite3.Connection, user_id: str, opening_minor: int, currency: str) -> None:
    """Gives a wallet never seen before its opening balance; any other stays as it is."""
    account = wallet_of(user_id)
    if balance(db, account, currency) is not None:
        return
    db.execute("INSERT INTO accounts VALUES (?, ?, 0)", (account, currency))
    if opening_minor:
        transfer(db, "opening", user_id, SYSTEM, account, opening_minor, currency)


def set_balance(db: sqlite3.Connection, user_id: str, wanted_minor: int, currency: str) -> None:
    """Brings a wallet to `wanted_minor` by one transfer from or to the system's account."""
    account = wallet_of(user_id)
    open_wallet(db, user_id, 0, currency)
    difference = wanted_minor - (balance(db, account, currency) or 0)
    if difference > 0:
        transfer(db, "set_balance", user_id, SYSTEM, account, difference, currency)
    elif difference < 0:
        transfer(db, "set_balance", user_id, account, SYSTEM, -difference, currency)
