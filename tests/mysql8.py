"""Holds every statement that a test sends to the database against the grammar of MySQL 8.

The tests run on MariaDB, whose extensions (RETURNING, sequences, IF NOT EXISTS for a column …) would pass there and
fail on MySQL and TiDB.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Engine, event
from sqlfluff.core import Linter

# What the grammar lets pass and MySQL 8 refuses.
_MARIADB_ALONE = re.compile(
    r"\b(ADD|DROP|MODIFY|CHANGE)\s+(COLUMN|INDEX|KEY|CONSTRAINT)\s+IF\s|\bCREATE\s+OR\s+REPLACE\s+TABLE\b"
    r"|\bSYSTEM\s+VERSIONING\b|\bSET\s+STATEMENT\b|\bDELETE\s+HISTORY\b",
    re.IGNORECASE,
)
# Valid after ORDER BY, where the grammar does not know it.
_LOCKING = re.compile(r"\s+FOR\s+(UPDATE|SHARE)(\s+(NOWAIT|SKIP\s+LOCKED))?\s*$", re.IGNORECASE)
_LIST = re.compile(r"\(\s*%s(\s*,\s*%s)+\s*\)")
_GRAMMAR = Linter(dialect="mysql")


def faults(statement: str) -> list[str]:
    """What MySQL 8 would not understand in a statement with `%s` for its parameters; empty when all is well."""
    # One text for lists of every length: a batch's would each be parsed anew, 10 ms a time.
    text = _LOCKING.sub("", _LIST.sub("(%s)", statement)).replace("%s", "1").replace("%%", "%")
    return list(_faults(text))


@cache
def _faults(statement: str) -> tuple[str, ...]:
    alone = [f"MariaDB alone has {found.group(0)!r}" for found in _MARIADB_ALONE.finditer(statement)]
    return tuple(alone + [each.desc() for each in _GRAMMAR.parse_string(statement).violations])


@contextmanager
def only_mysql8() -> Iterator[None]:
    """A statement of ours in this process that MySQL 8 would refuse fails where it is sent."""

    def check(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # Alembic's own table: it asks the server what it is, and says RETURNING to MariaDB alone.
        found = [] if "alembic_version" in statement else faults(statement)
        assert not found, f"not MySQL 8: {found}\n{statement}"

    event.listen(Engine, "before_cursor_execute", check)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", check)
