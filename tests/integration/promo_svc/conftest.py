from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.promo_svc.world import World, open_world
from tools import devstack

# They would hold the ports, take the records, or settle these orders, whose offers are in no database.
_RESTING = ("promo_svc", "checkout_svc_0", "checkout_svc_1", "order_worker", "payment_worker")


@pytest.fixture(scope="package")
def alone(data_servers: devstack.Mesh) -> Iterator[devstack.Mesh]:
    """Redis, MariaDB and Kafka; whoever of the mesh would take part rests meanwhile."""
    resting = [row.name for row in devstack.status() if row.name in _RESTING and row.pid]
    for name in resting:
        devstack.stop_process(name)
    yield data_servers
    for name in resting:
        devstack.start_process(name)


@pytest.fixture
async def world(alone: devstack.Mesh, tmp_path: Path) -> AsyncIterator[World]:
    """Whoever writes rows and results around a promo_svc of the test's own."""
    async with open_world(alone, tmp_path) as opened:
        yield opened
