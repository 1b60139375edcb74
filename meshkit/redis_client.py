"""Connections to Redis."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from meshkit.errors import DependencyUnavailable

T = TypeVar("T")


class NotMasterError(RedisError):
    """The server is a replica: what it holds may be old, and its epoch is the same. Not repeated by the client."""


@asynccontextmanager
async def redis_pool(url: str, *, max_connections: int = 16, timeout: float = 2.0) -> AsyncIterator[Redis]:
    """Raw bytes both ways. `timeout` bounds connecting and each reply: past it the outcome of a write is unknown.

    A call that needs a new connection raises NotMasterError where that leads to a replica.
    """
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry_on_timeout=False,
        redis_connect_func=_connect_to_master,
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


async def answered(reply: Awaitable[T]) -> T:
    """Raises DependencyUnavailable("redis"): where Redis does not answer, or with an error."""
    try:
        return await reply
    except (RedisError, OSError) as error:
        raise DependencyUnavailable("redis", f"redis: {error}") from error


async def _connect_to_master(connection: AbstractConnection) -> None:
    """One round trip a connection. A replica answers reads: what it holds may be old, and no reply says so."""
    await connection.on_connect()
    await connection.send_command("ROLE")
    role, *_ = await connection.read_response()
    if role != b"master":
        pieces: list[tuple[str, object]] = connection.repr_pieces()  # type: ignore[no-untyped-call]
        where = ", ".join(f"{name} {value}" for name, value in pieces)
        raise NotMasterError(f"Redis at {where} leads to a replica ({role.decode()}), and only a master is asked")
