"""Connections to Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.maint_notifications import MaintNotificationsConfig


@asynccontextmanager
async def redis_pool(url: str, *, max_connections: int = 16, timeout: float = 2.0) -> AsyncIterator[Redis]:
    """Raw bytes both ways. `timeout` bounds connecting and each reply: past it the outcome of a write is unknown."""
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry_on_timeout=False,
        # Where they are on, the pool hands out connections that the server has closed: after a restart of Redis every
        # pooled one failed its next caller once, 11 s later still.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()
