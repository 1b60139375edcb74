"""A feature is switched off for the mesh: Envoy answers, processes hear of it, and it outlives who switched it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest

from meshkit.errors import FeatureDisabled, PeakmeshError
from meshkit.identity import Role
from meshkit.rpc.client import call, channel
from meshkit.settings import ProcessSettings
from order_worker.serve_app import running as serving_orders
from order_worker.settings import Settings as OrderSettings
from peakmesh.ops.v1 import toggle_service_pb2 as pb
from peakmesh.ops.v1 import toggle_service_pb2_grpc as toggle_rpc
from peakmesh.order.v1 import order_service_pb2 as orders
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from tests.e2e.shop import Shop, shopping
from tests.json_client import ask
from tests.polling import eventually
from tools.devstack import Mesh
from tools.devstack.single import start_process, stop_process

FLAG = "purchase-history"
PROCESSES = ("checkout_0", "checkout_1", "order_consume", "order_serve_0", "order_serve_1", "payment", "promo")


class Switch:
    """An operator with a hand on one feature."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._stub = shop, toggle_rpc.ToggleServiceStub(shop.operators)

    async def _ask(self, method: str, request: Any) -> Any:
        metadata = self._shop.metadata("op-tests", Role.OPERATOR)
        return await call(getattr(self._stub, method), request, timeout=5, dependency="governor", metadata=metadata)

    async def set(self, on: bool) -> None:
        request = pb.SetToggleRequest(request_id=str(uuid4()), flag=FLAG, on=on, reason="an e2e test")
        await self._ask("SetToggle", request)

    async def clear(self) -> None:
        await self._ask("ClearToggle", pb.ClearToggleRequest(request_id=str(uuid4()), flag=FLAG, reason="over"))


@pytest.fixture
async def switch(mesh: Mesh) -> AsyncIterator[Switch]:
    # A shop of its own, so that the feature is on again whatever a test did to its connections.
    async with shopping(mesh.settings) as apart:
        made = Switch(apart)
        yield made
        await made.clear()
        await eventually(lambda: _passes(apart), within=5)


async def list_orders(shop: Shop, to: Any = None) -> None:
    """Raises what the call was refused for."""
    stub, metadata = order_rpc.OrderServiceStub(to or shop.gateway), shop.metadata("ana")
    await call(stub.ListOrders, orders.ListOrdersRequest(), timeout=5, dependency="orders", metadata=metadata)


async def _passes(shop: Shop, to: Any = None) -> bool:
    try:
        await list_orders(shop, to)
    except FeatureDisabled:
        return False
    return True


async def refused(shop: Shop, to: Any = None) -> bool:
    return not await _passes(shop, to)


def counted(settings: ProcessSettings, process: str, pattern: str) -> float:
    """The sum of a process' own metric."""
    with urlopen(f"http://127.0.0.1:{settings.ports[f'{process}_metrics']}/metrics", timeout=5) as answer:
        return sum(float(each) for each in re.findall(rf"^{pattern} (\S+)$", answer.read().decode(), re.MULTILINE))


async def calls_that_reached(settings: ProcessSettings) -> float:
    pattern = r'grpc_server_started_total\{[^}]*grpc_method="ListOrders"[^}]*\}'
    return sum([await asyncio.to_thread(counted, settings, f"order_serve_{n}", pattern) for n in (0, 1)])


async def processes_that_have_it(settings: ProcessSettings, on: bool) -> list[str]:
    pattern = rf'peakmesh_feature_on\{{feature="{FLAG}"\}}'
    found = await asyncio.gather(*(asyncio.to_thread(counted, settings, each, pattern) for each in PROCESSES))
    return [name for name, value in zip(PROCESSES, found, strict=True) if value == float(on)]


async def test_a_feature_that_is_off_costs_python_nothing(shop: Shop, switch: Switch) -> None:
    settings, token = shop.settings, shop.issuer.issue("ana", Role.BUYER)
    await list_orders(shop)
    assert await calls_that_reached(settings) > 0
    await switch.set(on=False)
    await eventually(lambda: refused(shop), within=1)
    before, began = await calls_that_reached(settings), time.monotonic()
    for _ in range(200):
        with pytest.raises(FeatureDisabled) as raised:
            await list_orders(shop)
    took = time.monotonic() - began
    assert (raised.value.metadata, raised.value.retry_after) == ({"feature": FLAG}, 30.0)
    for _ in range(20):
        answer = await ask(f"http://127.0.0.1:{settings.ports['gateway']}/v1/orders", token)
        assert (answer.status, answer.reason, answer.retry_after) == (503, "FEATURE_DISABLED", "30")
    reached = await calls_that_reached(settings) - before
    print(f"220 calls refused by Envoy, {took / 200 * 1000:.2f} ms each over gRPC; {reached:.0f} reached a process")
    assert reached == 0


async def test_a_change_reaches_envoy_and_every_process_within_a_second(shop: Shop, switch: Switch) -> None:
    for on in (False, True):
        began = time.monotonic()
        await switch.set(on)

        async def everywhere(on: bool = on) -> bool:
            return await processes_that_have_it(shop.settings, on) == list(PROCESSES)

        await eventually(everywhere, within=1)
        told = time.monotonic() - began

        async def at_the_edge(on: bool = on) -> bool:
            return await _passes(shop) is on

        await eventually(at_the_edge, within=1)
        print(f"{'on' if on else 'off'}: 7 processes after {told:.3f} s, Envoy by {time.monotonic() - began:.3f} s")
        assert time.monotonic() - began < 1


async def test_a_call_inside_the_mesh_is_refused_by_the_process(shop: Shop, switch: Switch) -> None:
    async with channel(f"127.0.0.1:{shop.settings.ports['order_serve_0']}") as inside:
        await list_orders(shop, inside)
        await switch.set(on=False)
        await eventually(lambda: refused(shop, inside), within=1)
        with pytest.raises(FeatureDisabled) as raised:
            await list_orders(shop, inside)
        assert (raised.value.metadata, raised.value.retry_after) == ({"feature": FLAG}, 30.0)


async def test_governor_and_redis_killed_leave_the_last_state_and_a_new_process_takes_the_defaults(
    shop: Shop, switch: Switch, mesh: Mesh, servers: Mesh
) -> None:
    await switch.set(on=False)
    await eventually(lambda: refused(shop), within=1)
    stop_process("governor", mesh, kill=True)
    stop_process("redis", servers, kill=True)
    try:
        gone = time.monotonic()
        await eventually(lambda: time.monotonic() - gone > 2)
        assert await refused(shop)
        assert await processes_that_have_it(shop.settings, on=False) == list(PROCESSES)
        await assert_a_new_process_takes_the_defaults(shop, mesh)
    finally:
        start_process("redis", servers)
        start_process("governor", mesh)
    # What Redis kept is what the governor tells again.
    assert await refused(shop)
    assert await processes_that_have_it(shop.settings, on=False) == list(PROCESSES)
    await switch.set(on=True)
    await eventually(lambda: _passes(shop), within=2)


async def assert_a_new_process_takes_the_defaults(shop: Shop, mesh: Mesh) -> None:
    """Role `serve`, by its own composition root, on the mesh's dead governor and dead Redis."""
    given = mesh.settings
    settings = OrderSettings(
        port_base=given.port_base + 7,
        run_dir=given.run_dir,
        db_url=given.database,
        redis_url=given.redis,
        kafka_bootstrap=given.kafka,
        drain_seconds=0,
    )
    async with serving_orders(settings) as port, channel(f"127.0.0.1:{port}") as to:
        try:
            await list_orders(shop, to)
        except PeakmeshError as error:
            raise AssertionError(f"a process without a governor refused: {error.reason}") from error
