"""Orders that need a person, the oldest first, page by page."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.schema import ops_request
from kernel.topics import DLQ_RETENTION_MS, RETRY_DELAYS
from meshkit.clock import wall_ms
from meshkit.db.errors import database_answers
from meshkit.rpc import pages
from order_worker.list_orders import LARGEST_SIZE
from order_worker.order_filter import make_token, read_token
from order_worker.resolve_order import METHOD
from order_worker.stuck import StuckOrder
from order_worker.stuck_rows import Since, stuck_rows, stuck_steps

DEFAULT_SIZE = 50
# Once around all retry topics (5 s + 1 min + 10 min), and as long again for the calls between them.
UNSETTLED_MS = 2 * 1000 * sum(RETRY_DELAYS.values())


@dataclass(frozen=True, slots=True)
class StuckPage:
    orders: list[StuckOrder]
    next_token: str


class ListStuck:
    """`acknowledged` tells a recorded answer's order_id where that answer was an acknowledgement, else empty."""

    def __init__(
        self,
        engine: AsyncEngine,
        acknowledged: Callable[[bytes], str],
        grace_seconds: float,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._engine, self._acknowledged, self._now_ms = engine, acknowledged, now_ms
        self._grace_ms = int(grace_seconds * 1000)

    async def __call__(self, page_size: int, page_token: str) -> StuckPage:
        """`page_size` 0 is 50, at most 200. Raises InvalidFields, DependencyUnavailable."""
        size = pages.page_size(page_size, DEFAULT_SIZE, LARGEST_SIZE)
        after = read_token(page_token)
        with database_answers():
            async with self._engine.connect() as connection:
                found = await self._found(connection, after, size + 1)
        found.sort(key=lambda each: each.order_id)
        return StuckPage(found[:size], make_token(found[size - 1].order_id) if len(found) > size else "")

    async def _found(self, connection: AsyncConnection, after: str, count: int) -> list[StuckOrder]:
        now = self._now_ms()
        since = Since(now - self._grace_ms, now - UNSETTLED_MS, now - DLQ_RETENTION_MS)
        seen = await self._seen(connection, since.failed)
        steps = await stuck_steps(connection, after, count)
        return steps + await stuck_rows(connection, after, count, since, seen)

    async def _seen(self, connection: AsyncConnection, since_ms: int) -> set[str]:
        """What people acknowledged is few, and forgotten with the dead letter."""
        journal = ops_request.c
        query = select(journal.response).where(journal.at_ms >= since_ms, journal.method == METHOD)
        return {self._acknowledged(bytes(response)) for response in await connection.scalars(query)} - {""}
