"""Holds every statement that a test's process sends to the database against MySQL 8.

The tests run on MariaDB, whose extensions would pass there and fail on MySQL and TiDB. A grammar refuses foreign
syntax; it knows no names, and so takes any function and any type: those are held against what MySQL 8 has, by name.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Engine, event

# What we use of MySQL 8's functions and types: another one is looked up in its manual, then added.
FUNCTIONS = re.compile(
    "AVG|CAST|COALESCE|CONCAT|COUNT|CURRENT_TIMESTAMP|DATABASE|EXISTS|GET_LOCK|GREATEST|IFNULL|LEAST|LENGTH|LOWER|MAX|MIN"
    "|NOW|NULLIF|RELEASE_LOCK|ROW_NUMBER|SLEEP|SUBSTRING|SUM|UNIX_TIMESTAMP|UPPER|VERSION"
)
TYPES = re.compile(
    "BIGINT|BINARY|BLOB|CHAR|DATE|DATETIME|DECIMAL|DOUBLE|INT|INTEGER|JSON|MEDIUMBLOB|MEDIUMTEXT|SIGNED|SMALLINT|TEXT"
    "|TIMESTAMP|TINYINT|UNSIGNED|VARBINARY|VARCHAR"
)
# What the grammar lets pass though MySQL 8 has no such thing.
_MARIADB_ALONE = re.compile(
    r"\b(?:ADD|DROP|MODIFY|CHANGE|ALTER|RENAME)\b[^,;()]*?\bIF\s+(?:NOT\s+)?EXISTS\b"
    r"|\bCREATE\s+(?:UNIQUE\s+|FULLTEXT\s+|SPATIAL\s+)?INDEX\s+IF\b"
    r"|\bCREATE\s+OR\s+REPLACE\b(?!\s+(?:ALGORITHM|DEFINER|SQL\s+SECURITY|VIEW)\b)"
    r"|\bRETURNING\b|\bSYSTEM\s+VERSIONING\b|\bFOR\s+SYSTEM_TIME\b|\bDELETE\s+HISTORY\b|\bPERIOD\s+FOR\b"
    r"|\bSEQUENCE\b|\bNEXT\s+VALUE\s+FOR\b|\bPREVIOUS\s+VALUE\s+FOR\b|\.\s*(?:nextval|currval)\b"
    r"|=\s*VALUE\s*\(|\bPERSISTENT\b|\bSET\s+STATEMENT\b|\bROWS\s+EXAMINED\b|\bEXECUTE\s+IMMEDIATE\b"
    r"|\b\w+_(?:nopad|uca1400)_\w+|\bENGINE\s*=?\s*(?:ARIA|COLUMNSTORE|MYROCKS|ROCKSDB|SPIDER)\b|\bPAGE_COMPRESSED\b"
    r"|\bmax_statement_time\b",
    re.IGNORECASE,
)
# These may drop a whole thing that is not there, in MySQL too.
_WHOLE = re.compile(r"\s*(?:DROP|CREATE)\s+(?:DATABASE|SCHEMA|TABLE|TEMPORARY\s+TABLE|VIEW|USER)\s+IF\b", re.IGNORECASE)
# Valid after ORDER BY, where the grammar does not know it.
_LOCKING = re.compile(r"\s+FOR\s+(UPDATE|SHARE)(\s+(NOWAIT|SKIP\s+LOCKED))?\s*$", re.IGNORECASE)
_LIST = re.compile(r"\(\s*%s(\s*,\s*%s)+\s*\)")
_TEXT = re.compile(r"'(?:[^'\\]|''|\\.)*'")


def faults(statement: str) -> list[str]:
    """What MySQL 8 would not understand in a statement with `%s` for its parameters; empty when all is well."""
    # One text for lists of every length: a batch's would each be parsed anew, 10 ms a time.
    text = _LOCKING.sub("", _LIST.sub("(%s)", statement)).replace("%s", "1").replace("%%", "%")
    return list(_faults(text))


@cache
def _grammar() -> Any:
    # Here and not above: it takes half a second, which sessions without a database need not wait.
    from sqlfluff.core import Linter

    return Linter(dialect="mysql")


@cache
def _faults(statement: str) -> tuple[str, ...]:
    said = _WHOLE.sub("", _TEXT.sub("''", statement))
    alone = [f"MariaDB alone has {found.group(0)!r}" for found in _MARIADB_ALONE.finditer(said)]
    parsed = _grammar().parse_string(statement)
    return tuple(alone + [each.desc() for each in parsed.violations] + _unknown_names(parsed.tree))


def _unknown_names(tree: Any) -> list[str]:
    if tree is None:
        return []
    functions = {each.raw.upper() for each in tree.recursive_crawl("function_name")}
    types = {re.split(r"\W", each.raw.upper())[0] for each in tree.recursive_crawl("data_type")}
    unknown = [f"the function {name}" for name in sorted(functions) if not FUNCTIONS.fullmatch(name)]
    unknown += [f"the type {name}" for name in sorted(types) if not TYPES.fullmatch(name)]
    return [f"tests/mysql8.py does not know {each}: has MySQL 8?" for each in unknown]


@contextmanager
def only_mysql8() -> Iterator[None]:
    """A statement of ours in this process that MySQL 8 would refuse fails where it is sent."""

    def check(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # Alembic's own table: it asks the server what it is, and says RETURNING to MariaDB alone.
        if connection.dialect.name != "mysql" or "alembic_version" in statement:
            return
        found = faults(statement)
        assert not found, f"not MySQL 8: {found}\n{statement}"

    event.listen(Engine, "before_cursor_execute", check)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", check)
