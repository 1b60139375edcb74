"""Transactions against MariaDB, MySQL or TiDB."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from meshkit.db.errors import DEADLOCK, LOCK_TIMEOUT, error_number
from meshkit.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)


@asynccontextmanager
async def database(
    url: str, *, pool_size: int = 4, max_overflow: int = 2, first_statement: str = ""
) -> AsyncIterator[AsyncEngine]:
    """READ COMMITTED: next-key locks of the default level deadlock batches that insert neighbouring ids.

    `first_statement` is sent on each new connection.
    """
    arguments: dict[str, Any] = {"connect_timeout": 5}
    if first_statement:
        arguments["init_command"] = first_statement
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_pre_ping=True,
        pool_recycle=1800,
        isolation_level="READ COMMITTED",
        connect_args=arguments,
    )
    try:
        yield engine
    finally:
        await engine.dispose()


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
