"""A mesh of its own for these tests: they lose its Redis."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from governor.app import running
from tests.integration.governor.operators import desk_at, free_base, settings_for
from tests.integration.order_worker.world import open_world
from tests.integration.rebuild.loss import Loss
from tools import devstack
from tools.devstack.spec import Mesh
from tools.devstack.table import DATA_SERVERS

# Beside the tests' mesh and that of order_worker's tests, no port of one being a port of another.
OFFSET = 300


@pytest.fixture(scope="package")
def own_mesh() -> Iterator[Mesh]:
    """Redis, MariaDB, Kafka and `order_worker consume`."""
    tests = Mesh.of()
    mesh = Mesh(tests.run_dir / "rebuild", tests.port_base + OFFSET)
    devstack.up(mesh.run_dir, mesh.port_base, only=[*DATA_SERVERS, "migrate", "topics", "identity", "order_worker"])
    try:
        yield mesh
    finally:
        devstack.down(mesh.run_dir, mesh.port_base)
        shutil.rmtree(mesh.run_dir)


@pytest.fixture
async def loss(own_mesh: Mesh) -> AsyncIterator[Loss]:
    """A governor of the test's own, an operator at it, and order_worker behind Kafka."""
    settings = settings_for(own_mesh, free_base())
    async with (
        open_world(own_mesh.settings) as world,
        running(settings) as port,
        desk_at(settings, port) as desk,
    ):
        yield Loss(own_mesh, world, desk)
