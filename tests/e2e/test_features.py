"""A feature that is switched off: answered by Envoy, costs Python nothing, and comes back within a second."""

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
from peakmesh.ops.v1 import toggle_service_pb2 as pb
from peakmesh.ops.v1 import toggle_service_pb2_grpc as rpc
from peakmesh.order.v1 import order_service_pb2 as order
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from tests.e2e.shop import Shop, State
from tests.json_client import ask
from tests.polling import eventually
from tools.devstack import Mesh, restart_process, start_process, stop_process

HISTORY = "purchase-history"
PROCESSES = ("order_serve_0", "order_serve_1")


async def toggle(shop: Shop, method: str, request: Any) -> Any:
    stub: Any = rpc.ToggleServiceStub(shop.operators)
    metadata = shop.metadata("olga", Role.OPERATOR)
    return await call(getattr(stub, method), request, timeout=10, dependency="governor", metadata=metadata)


async def switch(shop: Shop, *, on: bool) -> None:
    request = pb.SetToggleRequest(request_id=str(uuid4()), flag=HISTORY, on=on, reason="a test")
    await toggle(shop, "SetToggle", request)


async def clear(shop: Shop) -> None:
    await toggle(shop, "ClearToggle", pb.ClearToggleRequest(request_id=str(uuid4()), flag=HISTORY, reason="done"))


@pytest.fixture
async def switchable(shop: Shop) -> AsyncIterator[Shop]:
    yield shop
    await clear(shop)
    await eventually(lambda: lists(shop))


async def history(shop: Shop, door: Any = None) -> Any:
    stub: Any = order_rpc.OrderServiceStub(door or shop.gateway)
    return await call(
        stub.ListOrders, order.ListOrdersRequest(), timeout=5, dependency="orders", metadata=shop.metadata("ana")
    )


async def lists(shop: Shop, door: Any = None) -> bool:
    try:
        await history(shop, door)
    except FeatureDisabled:
        return False
    return True


async def refuses(shop: Shop, door: Any = None) -> bool:
    return not await lists(shop, door)


def reached_python(shop: Shop) -> float:
    """Calls of ListOrders that came to a process, whatever it answered."""
    found = 0.0
    for name in PROCESSES:
        with urlopen(f"http://127.0.0.1:{shop.settings.ports[f'{name}_metrics']}/metrics") as page:
            text = page.read().decode()
        lines = re.findall(r'^grpc_server_started_total\{.*grpc_method="ListOrders".*\} (\S+)$', text, re.MULTILINE)
        found += sum(map(float, lines))
    return found


async def test_while_it_is_off_envoy_answers_and_python_pays_nothing(switchable: Shop) -> None:
    shop = switchable
    assert await lists(shop)
    began = time.monotonic()
    await switch(shop, on=False)
    await eventually(lambda: refuses(shop), within=1)
    print(f"off at the gateway {time.monotonic() - began:.2f} s after the operator asked")
    before = reached_python(shop)
    assert before > 0
    for _ in range(50):
        with pytest.raises(FeatureDisabled) as raised:
            await history(shop)
        assert (raised.value.metadata, raised.value.retry_after) == ({"feature": HISTORY}, 30.0)
    url = f"http://127.0.0.1:{shop.settings.ports['gateway']}/v1/orders"
    told = await ask(url, shop.issuer.issue("ana", Role.BUYER))
    assert (told.status, told.kind, told.reason, told.retry_after) == (
        503,
        "application/json",
        "FEATURE_DISABLED",
        "10",
    )
    assert {"code", "message", "details"} == set(told.body)
    assert reached_python(shop) == before
    # Who is not let in learns nothing, and the rest of the service is as it was.
    assert (await ask(url)).status == 401
    sale = await shop.open_sale(units=1)
    order_id = (await shop.place("ana", sale)).order_id
    await shop.reaches("ana", order_id, State.ORDER_STATE_TO_SHIP)
    began = time.monotonic()
    await clear(shop)
    await eventually(lambda: lists(shop), within=1)
    print(f"on again after {time.monotonic() - began:.2f} s")


async def test_each_process_refuses_it_to_callers_inside_the_mesh(switchable: Shop) -> None:
    shop = switchable
    await switch(shop, on=False)
    for name in PROCESSES:
        async with channel(f"127.0.0.1:{shop.settings.ports[name]}") as door:
            await eventually(lambda door=door: refuses(shop, door), within=1)  # type: ignore[misc]


async def test_the_last_word_outlives_the_governor(switchable: Shop, mesh: Mesh) -> None:
    shop = switchable
    await switch(shop, on=False)
    async with channel(f"127.0.0.1:{shop.settings.ports['order_serve_0']}") as door:
        await eventually(lambda: refuses(shop, door), within=1)
        stop_process("governor", mesh, kill=True)
        try:
            assert await refuses(shop)
            assert await refuses(shop, door)
            restart_process("order_serve_1", None, mesh)
            async with channel(f"127.0.0.1:{shop.settings.ports['order_serve_1']}") as anew:
                # It knows the file's defaults alone; from outside Envoy still answers.
                assert await lists(shop, anew)
                assert await refuses(shop)
        finally:
            start_process("governor", mesh)
        async with channel(f"127.0.0.1:{shop.settings.ports['order_serve_1']}") as anew:
            await eventually(lambda: refuses(shop, anew), within=5)


async def test_a_toggle_is_an_operators_alone_and_its_fields_are_named(shop: Shop) -> None:
    stub: Any = rpc.ToggleServiceStub(shop.operators)
    bad = pb.SetToggleRequest(request_id="x", flag="search", reason=" ")
    with pytest.raises(PeakmeshError) as raised:
        await toggle(shop, "SetToggle", bad)
    assert {field for field, _ in raised.value.violations} == {"request_id", "flag", "reason"}  # type: ignore[attr-defined]
    metadata = shop.metadata("ana")
    with pytest.raises(PeakmeshError) as raised:
        await call(stub.ListToggles, pb.ListTogglesRequest(), timeout=5, dependency="governor", metadata=metadata)
    assert raised.value.reason == "ROLE_REQUIRED"
