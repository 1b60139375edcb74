"""A pool of connections over a restart of its server."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kernel.vouchers.redis_holds import RedisHolds
from meshkit.errors import DependencyUnavailable
from meshkit.redis_client import NotMasterError, redis_pool
from tests.integration.kernel.redis_server import RedisServer
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


async def test_a_replica_is_refused_by_name_until_it_is_a_master(own_mesh: Mesh) -> None:
    up(own_mesh.run_dir, own_mesh.port_base, ["redis"])
    with TemporaryDirectory() as folder:
        replica = RedisServer(Path(folder), "--replicaof", "127.0.0.1", str(own_mesh.settings.ports["redis"]))
        try:
            await replica.start()
            async with redis_pool(own_mesh.settings.redis) as there, redis_pool(replica.url, max_connections=2) as here:
                assert await there.ping()
                for _ in range(5):  # a connection that was refused takes no place in the pool
                    with pytest.raises(NotMasterError, match=f"{folder}/s.* leads to a replica"):
                        await here.hgetall("anything")
                with pytest.raises(DependencyUnavailable, match="only a master is asked"):
                    await RedisHolds(here).codes()
                operator = replica.client()
                await operator.replicaof("NO", "ONE")
                await operator.aclose()
                assert await here.hgetall("anything") == {}
        finally:
            replica.kill()
            down(own_mesh.run_dir, own_mesh.port_base)
