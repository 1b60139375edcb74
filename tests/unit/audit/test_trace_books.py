"""One order in the provider's books: every table that has a line of it is read."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tools.audit.trace_books import TABLES, read_books
from tools.providers.schema import SCHEMA

ORDER = "01900000-0000-8000-8000-000000000000"


def journal(folder: Path) -> Path:
    path = folder / "journal.sqlite"
    with closing(sqlite3.connect(path)) as books:
        books.executescript(SCHEMA)
    return path


def columns(books: sqlite3.Connection, table: str) -> dict[str, str]:
    return {name: kind for _, name, kind, *_ in books.execute(f"PRAGMA table_info({table})")}


def test_no_table_with_a_step_is_left_out(tmp_path: Path) -> None:
    with closing(sqlite3.connect(journal(tmp_path))) as books:
        names = [name for (name,) in books.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        keyed = {name for name in names if "key" in columns(books, name)}
    assert keyed == {*TABLES, "transfers"}


def test_a_line_in_any_table_is_an_event(tmp_path: Path) -> None:
    path = journal(tmp_path)
    with closing(sqlite3.connect(path)) as books:
        for number, (table, (step, *_)) in enumerate(TABLES.items()):
            row = {name: number if kind == "INTEGER" else f"x{number}" for name, kind in columns(books, table).items()}
            row |= {"key": f"{ORDER}:{step}", "at_ms": number}
            row |= {"state": "DONE"} if table == "debits" else {}
            row |= {"outcome": "CANCELLED"} if table == "unbookings" else {}
            marks = ", ".join(f":{name}" for name in row)
            books.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608
        books.commit()
    told = read_books(path, ORDER)
    assert [(event.at_ms, event.what) for event in told] == [
        (number, what) for number, (_, what, _) in enumerate(TABLES.values())
    ]
    assert read_books(path, ORDER.replace("0", "1")) == []
