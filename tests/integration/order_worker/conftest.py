"""A mesh of its own for these tests: they leave half-done orders behind, which no other test's audit should meet."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.order_worker.world import World, open_world
from tools import devstack
from tools.devstack.spec import Mesh
from tools.devstack.table import DATA_SERVERS

# Half-way between two meshes, so that a third one can run beside either.
OFFSET = 500


@pytest.fixture(scope="session")
def own_mesh() -> Iterator[Mesh]:
    """Redis, MariaDB with its schema, Kafka with its topics; none of our processes."""
    tests = Mesh.of()
    mesh = Mesh(tests.run_dir / "order_worker", tests.port_base + OFFSET)
    devstack.up(mesh.run_dir, mesh.port_base, only=[*DATA_SERVERS, "migrate", "topics", "identity"])
    try:
        yield mesh
    finally:
        devstack.down(mesh.run_dir, mesh.port_base)
        shutil.rmtree(mesh.run_dir)


@pytest.fixture
async def world(own_mesh: Mesh) -> AsyncIterator[World]:
    async with open_world(own_mesh.settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def worker(own_mesh: Mesh) -> Iterator[Mesh]:
    """The mesh with `order_worker consume` under the supervisor."""
    devstack.up(own_mesh.run_dir, own_mesh.port_base, only=["order_worker"])
    try:
        yield own_mesh
    finally:
        devstack.stop_process("order_worker", own_mesh)
