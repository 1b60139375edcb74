"""The database's own troubles as what a caller may be told: not answering, outcome unknown, repeat."""

from collections.abc import Iterator
from contextlib import contextmanager

from meshkit.db.engine import is_transient
from meshkit.errors import DependencyUnavailable


@contextmanager
def database_answers() -> Iterator[None]:
    """Raises DependencyUnavailable("database") for a lost connection, a lock, a full disk; anything else as it is."""
    try:
        yield
    except Exception as error:
        if is_transient(error):
            raise DependencyUnavailable("database") from error
        raise
