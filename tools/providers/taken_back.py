"""What two keys a taking-back names: its own, and that of what it takes back."""

import sqlite3

from meshkit.errors import KeyBarred


def find_taken_back(db: sqlite3.Connection, table: str, taken: str, key: str, taken_key: str) -> sqlite3.Row | None:
    """The row of `table` under `key`; `taken` names its other key. Raises KeyBarred where either is part of another."""
    query = f"SELECT * FROM {table} WHERE key = ? OR {taken} = ?"  # noqa: S608 names of ours
    row: sqlite3.Row | None = db.execute(query, (key, taken_key)).fetchone()
    if row is not None and (row["key"], row[taken]) != (key, taken_key):
        raise KeyBarred("this is recorded under other keys", metadata={"idempotency_key": key})
    return row


def refuse_taken_back(db: sqlite3.Connection, table: str, taken: str, key: str) -> None:
    """Raises KeyBarred where what `key` names was taken back, before it came or after."""
    query = f"SELECT 1 FROM {table} WHERE {taken} = ?"  # noqa: S608 names of ours
    if db.execute(query, (key,)).fetchone() is not None:
        raise KeyBarred("this was taken back", metadata={"idempotency_key": key})
