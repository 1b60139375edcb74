"""Transactions against MariaDB, MySQL or TiDB."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from meshkit.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)

DEADLOCK, LOCK_TIMEOUT = 1213, 1205
DUPLICATE_KEY = 1062
# Connection lost, server gone, too many connections, disk full, read-only: the server's troubles, not the data's.
_SERVER_ERRORS = frozenset({DEADLOCK, LOCK_TIMEOUT, 1021, 1040, 1041, 1053, 1114, 1290, 1792, 1836, 2002, 2003, 2006})
_SERVER_ERRORS |= {2013, 2014, 2055, 1158, 1159, 1160, 1161, 1317, 1927, 3024, 1969}


@asynccontextmanager
async def database(url: str, *, pool_size: int = 4) -> AsyncIterator[AsyncEngine]:
    """READ COMMITTED: next-key locks of the default level deadlock batches that insert neighbouring ids."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=2,
        pool_pre_ping=True,
        pool_recycle=1800,
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": 5},
    )
    try:
        yield engine
    finally:
        await engine.dispose()


def error_number(error: BaseException) -> int:
    """The server's error number, 0 where there is none."""
    original = getattr(error, "orig", None)
    number = original.args[0] if original is not None and original.args else 0
    return number if isinstance(number, int) else 0


def is_transient(error: BaseException) -> bool:
    """True for the server's troubles (retry without limit), False for the data's (look for the poison row)."""
    if isinstance(error, PoolTimeout | InterfaceError | OSError | asyncio.TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        number = error_number(error)
        if number in _SERVER_ERRORS or error.connection_invalidated:
            return True
        return isinstance(error, OperationalError) and not 1000 <= number < 2000
    return False


async def run_transaction(
    engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]], *, attempts: int = 10
) -> T:
    """Runs `work` in one transaction; a deadlock or lock time-out rolls back and redoes all of it."""
    for attempt in range(1, attempts + 1):
        try:
            async with engine.begin() as connection:
                return await work(connection)
        except DBAPIError as error:
            if error_number(error) not in (DEADLOCK, LOCK_TIMEOUT) or attempt == attempts:
                raise
            log.info("transaction redone", error=error_number(error), attempt=attempt)
        await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
    raise AssertionError("unreachable")


async def check_durability(engine: AsyncEngine) -> str:
    """Empty when every commit is flushed to disk; otherwise what is wrong, in words."""
    async with engine.connect() as connection:
        value = await connection.scalar(text("SELECT @@innodb_flush_log_at_trx_commit"))
    return "" if int(value or 0) == 1 else f"innodb_flush_log_at_trx_commit is {value}, must be 1"
