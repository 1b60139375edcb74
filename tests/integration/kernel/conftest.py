import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from kernel.stock.redis_adapter import RedisStock
from tests.integration.kernel.redis_server import RedisServer
from tools import devstack


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    # Not pytest's own folder: the address of a Unix socket ends at 107 bytes.
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        server = RedisServer(Path(folder))
        asyncio.run(server.start())
        yield server
        server.kill()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = redis_server.client()
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def stock(redis: Redis) -> RedisStock:
    """At a clock of the test's own, which begins at the true time."""
    return RedisStock(redis, now_ms=int(time.time() * 1000))


@pytest.fixture(scope="session")
def mariadb(stack: devstack.Mesh) -> devstack.Mesh:
    devstack.up(only=["mariadb"])
    return stack


@pytest.fixture
async def scratch(mariadb: devstack.Mesh) -> AsyncIterator[str]:
    """The URL of a database of the test's own, empty."""
    url = make_url(mariadb.settings.database)
    name = f"peakmesh_schema_{uuid.uuid4().hex[:8]}"
    outside = create_async_engine(url)
    async with outside.begin() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        async with outside.begin() as connection:
            await connection.execute(text(f"DROP DATABASE {name}"))
        await outside.dispose()
