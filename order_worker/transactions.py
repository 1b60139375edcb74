"""One transaction, repeated whole where another worker was first."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from meshkit.db.engine import run_transaction
from meshkit.db.errors import DUPLICATE_KEY, error_number

T = TypeVar("T")
ATTEMPTS = 10
# A frozen server answers nothing at all, and no client library would ever give up on it.
SECONDS = 10.0


class Overtaken(Exception):
    """What this transaction read was changed before it held the locks: read again and repeat."""


async def transact(engine: AsyncEngine, work: Callable[[AsyncConnection, int], Awaitable[T]]) -> T:
    """`work(connection, attempt)` in one transaction; attempt counts from 1.

    A duplicate key (1062) or Overtaken rolls back and repeats, so `work` must read what is there anew; after ATTEMPTS
    the error is raised, as the data's own. TimeoutError after SECONDS: the outcome is unknown, do it again.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with asyncio.timeout(SECONDS):
                return await run_transaction(engine, partial(_numbered, work, attempt))
        except (IntegrityError, Overtaken) as error:
            duplicate = isinstance(error, Overtaken) or error_number(error) == DUPLICATE_KEY
            if not duplicate or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _numbered(
    work: Callable[[AsyncConnection, int], Awaitable[T]], attempt: int, connection: AsyncConnection
) -> T:
    return await work(connection, attempt)
