"""A feature that is off: Envoy answers for it, in the caller's language, and nobody behind it hears of the call."""

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from grpc.aio import AioRpcError

from governor.envoy_runtime import EnvoyRuntime
from kernel.features import defaults, features
from meshkit.errors import FeatureDisabled
from meshkit.identity import Role
from meshkit.rpc.client import typed_error
from tests.integration.envoy.mesh import GET_ORDER, Mesh, raw, upstream
from tests.json_client import ask
from tests.polling import eventually

LIST_ORDERS = "/peakmesh.order.v1.OrderService/ListOrders"
FEATURE = "purchase-history"


class Switch:
    """As the governor does it, and until Envoy has read it."""

    def __init__(self, mesh: Mesh) -> None:
        self._runtime = EnvoyRuntime(mesh.run_dir / "runtime" / "toggles.json")

    def write(self, **off: bool) -> None:
        self._runtime.write(defaults() | {name.replace("_", "-"): not is_off for name, is_off in off.items()})


@pytest.fixture
def switch(mesh: Mesh) -> Iterator[Switch]:
    made = Switch(mesh)
    yield made
    made.write()


async def refusal(mesh: Mesh, method: str) -> FeatureDisabled | None:
    async with mesh.channel("gateway") as to:
        try:
            await raw(to, method)(b"", timeout=5, metadata=mesh.bearer())
        except AioRpcError as error:
            told = typed_error(error, "gateway")
            return told if isinstance(told, FeatureDisabled) else None
    return None


async def test_grpc_is_told_what_is_off_and_when_to_come_back_and_no_server_hears_of_it(
    mesh: Mesh, switch: Switch
) -> None:
    async with upstream(mesh.ports["order_serve_0"]) as orders:
        await mesh.healthy("order", 1)
        assert await refusal(mesh, LIST_ORDERS) is None
        switch.write(purchase_history=True)
        began = time.monotonic()

        async def is_off() -> bool:
            return await refusal(mesh, LIST_ORDERS) is not None

        await eventually(is_off, within=1)
        print(f"Envoy answered {time.monotonic() - began:.3f} s after the file was moved")
        orders.calls.clear()
        for _ in range(50):
            told = await refusal(mesh, LIST_ORDERS)
            assert told is not None
            assert (told.metadata, told.retry_after) == ({"feature": FEATURE}, 30.0)
        assert orders.calls == []
        assert await refusal(mesh, GET_ORDER) is None
        assert [method for method, _ in orders.calls] == [GET_ORDER]
        switch.write()

        async def is_on() -> bool:
            return not await is_off()

        await eventually(is_on, within=1)


async def test_json_is_told_the_same_in_its_own_words(mesh: Mesh, switch: Switch) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders"
    async with upstream(mesh.ports["order_serve_0"]) as orders:
        switch.write(purchase_history=True)

        async def is_off() -> bool:
            return await refusal(mesh, LIST_ORDERS) is not None

        await eventually(is_off, within=1)
        orders.calls.clear()
        answer = await ask(url, mesh.token())
        assert (answer.status, answer.kind, answer.retry_after) == (503, "application/json", "30"), answer
        assert (answer.body["code"], answer.reason) == (14, "FEATURE_DISABLED")
        assert answer.body["details"][0]["metadata"] == {"feature": FEATURE}
        assert answer.body["message"]
        assert orders.calls == []
        assert (await ask(url)).status == 401
        refused = await ask(f"{url}?page_siez=1", mesh.token())
        assert (refused.status, refused.reason) == (400, "INVALID_FIELD")


async def test_a_browser_over_grpc_web_is_told_too(mesh: Mesh, switch: Switch) -> None:
    switch.write(purchase_history=True)

    async def is_off() -> bool:
        return await refusal(mesh, LIST_ORDERS) is not None

    await eventually(is_off, within=1)
    body = b"\x00\x00\x00\x00\x00"
    headers = {"content-type": "application/grpc-web+proto"}
    answer = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}{LIST_ORDERS}", mesh.token(), "POST", body, **headers)
    assert answer.kind.startswith("application/grpc")
    assert answer.headers["grpc-status"] == "14"
    assert answer.headers["grpc-status-details-bin"]


async def test_a_service_that_is_away_is_not_taken_for_a_feature_that_is_off(mesh: Mesh) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders/{uuid4()}"
    await mesh.healthy("order", 0)
    answer = await ask(url, mesh.token(Role.BUYER))
    assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")


async def test_every_feature_has_its_routes_whether_its_rpc_is_there_yet_or_not(mesh: Mesh) -> None:
    config = mesh.admin("/config_dump?resource=static_listeners")
    for feature in features().values():
        for rpc in feature.rpcs:
            assert config.count(f'"path": "{rpc}"') >= 2, rpc
