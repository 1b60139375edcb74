import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from kernel.stock.redis_adapter import RedisStock
from tests.integration.kernel.redis_server import RedisServer


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
