from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.checkout_svc.shop import Shop, shop_at
from tools import devstack

# They would hold the port, relay these orders, or settle them: their offers are in no database.
_RESTING = ("checkout_svc_0", "checkout_svc_1", "order_worker")


@pytest.fixture(scope="package")
def alone(data_servers: devstack.Mesh) -> Iterator[devstack.Mesh]:
    """Redis and Kafka; whoever of the mesh would take part rests meanwhile."""
    resting = [row.name for row in devstack.status() if row.name in _RESTING and row.pid]
    for name in resting:
        devstack.stop_process(name)
    yield data_servers
    for name in resting:
        devstack.start_process(name)


@pytest.fixture
async def shop(alone: devstack.Mesh) -> AsyncIterator[Shop]:
    """One checkout process of the test's own, without Envoy."""
    async with shop_at(alone) as open_shop:
        yield open_shop
