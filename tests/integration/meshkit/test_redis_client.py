"""A pool of connections over a restart of its server."""

import asyncio
from pathlib import Path

import pytest

from meshkit.redis_client import redis_pool
from tools.devstack import Mesh, down, kill_process, up, wait_ready
from tools.devstack.archive import free_base


@pytest.fixture
def own_mesh(tmp_path: Path) -> Mesh:
    return Mesh(tmp_path, free_base(tmp_path))


async def test_a_connection_that_the_server_closed_fails_nobody(own_mesh: Mesh) -> None:
    up(own_mesh.run_dir, own_mesh.port_base, ["redis"])
    try:
        async with redis_pool(own_mesh.settings.redis) as redis:
            assert await redis.ping()
            # In a thread: the loop must see that the connection was closed, as a process's does.
            dead = await asyncio.to_thread(kill_process, "redis", mesh=own_mesh)
            await asyncio.to_thread(wait_ready, "redis", own_mesh, not_pid=dead)
            assert await redis.ping(), "the pooled connection is a new one"
    finally:
        down(own_mesh.run_dir, own_mesh.port_base)
