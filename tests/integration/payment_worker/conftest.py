from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.payment_worker.shop import Shop, shop_at
from tools import devstack
from tools.devstack.table import DATA_SERVERS
from tools.providers.knobs import AllKnobs, write_knobs
from tools.providers.settings import Settings as SandboxSettings


@pytest.fixture(scope="session")
def sandbox(stack: devstack.Mesh) -> Iterator[devstack.Mesh]:
    """MariaDB, Kafka and the provider sandbox; a payment_worker that the mesh may run rests meanwhile."""
    devstack.up(only=[*DATA_SERVERS, "migrate", "topics", "identity", "providers"])
    resting = [row.name for row in devstack.status() if row.name == "payment_worker" and row.pid]
    for name in resting:
        devstack.stop_process(name)
    yield stack
    for name in resting:
        devstack.start_process(name)


@pytest.fixture
async def shop(sandbox: devstack.Mesh) -> AsyncIterator[Shop]:
    """Whoever orders, and whoever reads the results; all knobs of the sandbox at zero before and after."""
    knobs = SandboxSettings(run_dir=sandbox.run_dir, port_base=sandbox.port_base).knobs
    write_knobs(knobs, AllKnobs())
    async with shop_at(sandbox) as open_shop:
        yield open_shop
    write_knobs(knobs, AllKnobs())
