"""One change at a time, over all governors: two writers between SQL and Redis could leave them apart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.db.errors import database_answers
from meshkit.errors import Overloaded

_NAME = "peakmesh.governor"


class ChangeLock:
    """A named lock of the database, which drops it by itself when its holder dies."""

    def __init__(self, engine: AsyncEngine, wait_seconds: int) -> None:
        self._engine, self._wait_seconds = engine, wait_seconds
        # Waiters of this process wait here: each one waiting in the database would hold a connection of the pool,
        # and the holder needs another one for its transaction.
        self._local = asyncio.Lock()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Raises Overloaded when another change is still being made after the wait, DependencyUnavailable("database")
        when the database fails in the block."""
        try:
            # Not wait_for: on Python 3.11 it swallows a cancel that meets the acquired lock.
            async with asyncio.timeout(self._wait_seconds):
                await self._local.acquire()
        except TimeoutError:
            raise _busy() from None
        try:
            with database_answers():
                async with self._session():
                    yield
        finally:
            self._local.release()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[None]:
        async with self._engine.connect() as session:
            asked = {"name": _NAME, "seconds": self._wait_seconds}
            if await session.scalar(text("SELECT GET_LOCK(:name, :seconds)"), asked) != 1:
                raise _busy()
            try:
                yield
            finally:
                await session.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _NAME})


def _busy() -> Overloaded:
    return Overloaded("another change is being made", retry_after=1.0)
