"""What an error of the database means: whose trouble it is, and whether to try again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from meshkit.errors import DependencyUnavailable

DEADLOCK, LOCK_TIMEOUT = 1213, 1205
DUPLICATE_KEY = 1062
# What a record's own values can cause. 1048 null, 1062 duplicate, 1264 range, 1265/1292/1366 conversion, 1406 length,
# 3819 and 4025 CHECK (MySQL, MariaDB): the last two come as OperationalError, and no retry would ever end.
DATA_ERRORS = frozenset({1048, DUPLICATE_KEY, 1264, 1265, 1292, 1366, 1406, 3819, 4025})
# Connection lost, server gone, too many connections, disk full, read-only: the server's troubles, not the data's.
_SERVER_ERRORS = frozenset({DEADLOCK, LOCK_TIMEOUT, 1021, 1040, 1041, 1053, 1114, 1290, 1792, 1836, 2002, 2003, 2006})
_SERVER_ERRORS |= {2013, 2014, 2055, 1158, 1159, 1160, 1161, 1317, 1927, 3024, 1969}


def error_number(error: BaseException) -> int:
    """The server's error number, 0 where there is none."""
    original = getattr(error, "orig", None)
    number = original.args[0] if original is not None and original.args else 0
    return number if isinstance(number, int) else 0


def is_transient(error: BaseException) -> bool:
    """True for the server's troubles (retry without limit), False for the data's (look for the poison row)."""
    number = error_number(error)
    if number in DATA_ERRORS:
        return False
    if isinstance(error, PoolTimeout | InterfaceError | OSError | asyncio.TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        if number in _SERVER_ERRORS or error.connection_invalidated:
            return True
        return isinstance(error, OperationalError) and not 1000 <= number < 2000
    return False


@contextmanager
def database_answers() -> Iterator[None]:
    """Raises DependencyUnavailable("database") for a transient error in the block; anything else as it is.

    For edges, where a caller is told to repeat; a worker waits instead.
    """
    try:
        yield
    except Exception as error:
        if is_transient(error):
            raise DependencyUnavailable("database") from error
        raise
