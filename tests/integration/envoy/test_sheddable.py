"""What may be shed: told to the processes, held to a rate, and refused with pushback. What buyers need is neither."""

import asyncio
from collections import Counter

import grpc
import pytest

from envoy.sheddable import SHEDDABLE, Sheddable
from meshkit.errors import Overloaded
from meshkit.rpc.client import typed_error
from meshkit.rpc.criticality import HEADER
from tests.integration.envoy.mesh import GET_ORDER, PLACE_ORDER, Mesh, raw, upstream
from tests.json_client import ask

[LIST_ORDERS] = [each for each in SHEDDABLE if each.name == "ListOrders"]
PORTS = {"order": "order_serve_0", "vouchers": "promo", "engagement": "engagement"}


async def test_beyond_its_rate_a_sheddable_call_is_told_when_to_come_again(mesh: Mesh) -> None:
    asked = LIST_ORDERS.burst + LIST_ORDERS.per_second
    refused: list[grpc.aio.AioRpcError] = []
    async with upstream(mesh.ports["order_serve_0"]) as orders, mesh.channel("gateway") as channel:
        await mesh.healthy("order", 1)
        list_orders, get_order, bearer = raw(channel, LIST_ORDERS.rpc), raw(channel, GET_ORDER), mesh.bearer()

        async def ask_once() -> str:
            try:
                await list_orders(b"", timeout=5, metadata=bearer)
            except grpc.aio.AioRpcError as error:
                refused.append(error)
                return error.code().name
            return "OK"

        codes = Counter(await asyncio.gather(*(ask_once() for _ in range(asked))))
        print(f"of {asked} at once: {dict(codes)}")
        assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
        assert codes["OK"] >= LIST_ORDERS.burst
        assert len([method for method, _ in orders.calls if method == LIST_ORDERS.rpc]) == codes["OK"]
        told = typed_error(refused[0], "gateway")
        assert (type(told), told.retry_after) == (Overloaded, 1.0)
        assert dict(refused[0].trailing_metadata() or ())["grpc-retry-pushback-ms"] == "1000"
        # The same service's calls that buyers need have no such rate.
        await asyncio.gather(*(get_order(b"", timeout=5, metadata=bearer) for _ in range(asked)))
        json = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders", mesh.token())
        assert json.status in (200, 429, 502)


@pytest.mark.parametrize("each", SHEDDABLE, ids=lambda each: each.name)
async def test_a_process_is_told_what_may_be_shed_and_until_when(mesh: Mesh, each: Sheddable) -> None:
    lie = ((HEADER, "CORE"),)
    async with upstream(mesh.ports[PORTS[each.cluster]]) as server, mesh.channel("gateway") as channel:
        if each.cluster != "engagement":
            await mesh.healthy(each.cluster, 1)
        await raw(channel, each.rpc)(b"", metadata=(*mesh.bearer(), *lie))
        [(_, metadata)] = [call for call in server.calls if call[0] == each.rpc]
    assert metadata[HEADER] == "SHEDDABLE"
    [left] = server.seconds_left
    assert left is not None
    assert each.seconds - 1 < left <= each.seconds, "a client that names no deadline has the route's"


async def test_what_buyers_need_is_core_whatever_a_client_says(mesh: Mesh) -> None:
    lie = ((HEADER, "SHEDDABLE"),)
    async with upstream(mesh.ports["checkout_0"]) as server, mesh.channel("gateway") as channel:
        await mesh.healthy("checkout", 1)
        await raw(channel, PLACE_ORDER)(b"", timeout=5, metadata=(*mesh.bearer(), *lie))
        [(_, metadata)] = server.calls
    assert metadata[HEADER] == "CORE"
