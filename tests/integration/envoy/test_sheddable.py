"""What may be shed: told to the processes, held to a rate, and refused with pushback. What buyers need is neither."""

import asyncio
from collections import Counter

import grpc
import pytest

from envoy.sheddable import SHEDDABLE, Sheddable
from meshkit.errors import Overloaded
from meshkit.rpc.client import typed_error
from meshkit.rpc.criticality import HEADER
from meshkit.rpc.deadline import HEADER as TIMEOUT
from tests.integration.envoy.mesh import GET_ORDER, PLACE_ORDER, Mesh, never, raw, upstream
from tests.json_client import ask
from tests.polling import eventually

[LIST_ORDERS] = [each for each in SHEDDABLE if each.name == "ListOrders"]
PORTS = {"order": "order_serve_0", "vouchers": "promo", "engagement": "engagement"}


async def test_beyond_its_rate_a_sheddable_call_is_told_when_to_come_again(mesh: Mesh) -> None:
    # Four seconds' worth: too many, also where the machine takes a second or two to send them.
    asked = LIST_ORDERS.burst + 4 * LIST_ORDERS.per_second
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


@pytest.mark.parametrize("each", SHEDDABLE, ids=lambda each: each.name)
async def test_a_process_is_told_what_may_be_shed_and_until_when(mesh: Mesh, each: Sheddable) -> None:
    lie = ((HEADER, "CORE"), (TIMEOUT, "999999"))
    async with upstream(mesh.ports[PORTS[each.cluster]]) as server, mesh.channel("gateway") as channel:
        await mesh.healthy(each.cluster, 1)
        await raw(channel, each.rpc)(b"", metadata=(*mesh.bearer(), *lie))
        [(_, metadata)] = [call for call in server.calls if call[0] == each.rpc]
    assert metadata[HEADER] == "SHEDDABLE"
    assert metadata[TIMEOUT] == str(each.seconds * 1000)
    assert server.seconds_left == [None], "a deadline of gRPC's own would end in a race with the route's time-out"


async def test_what_buyers_need_is_core_whatever_a_client_says(mesh: Mesh) -> None:
    lie = ((HEADER, "SHEDDABLE"),)
    async with upstream(mesh.ports["checkout_0"]) as server, mesh.channel("gateway") as channel:
        await mesh.healthy("checkout", 1)
        await raw(channel, PLACE_ORDER)(b"", timeout=5, metadata=(*mesh.bearer(), *lie))
        [(_, metadata)] = server.calls
    assert metadata[HEADER] == "CORE"


async def test_lists_that_hang_fill_their_own_bounds_and_no_core_call_waits(mesh: Mesh) -> None:
    let_go = asyncio.Event()

    async def hanging(body: bytes) -> bytes:
        if body == b"list":
            await let_go.wait()
        return body

    mesh.runtime(rate_limit__ListOrders__enforced=0)
    try:
        async with upstream(mesh.ports["order_serve_0"], hanging), mesh.channel("gateway") as channel:
            await mesh.healthy("order", 1)
            list_orders, get_order, bearer = raw(channel, LIST_ORDERS.rpc), raw(channel, GET_ORDER), mesh.bearer()
            lists = [asyncio.ensure_future(list_orders(b"list", metadata=bearer, timeout=20)) for _ in range(300)]
            await eventually(lambda: sum(each.done() for each in lists) >= 44)
            refused = [each.exception() for each in lists if each.done()]
            assert all(isinstance(typed_error(error, "gateway"), Overloaded) for error in refused)
            await asyncio.gather(*(get_order(b"", metadata=bearer, timeout=5) for _ in range(50)))
            print(f"{len(refused)} of 300 lists refused; 50 core calls answered beside the others")
            let_go.set()
            await asyncio.gather(*lists, return_exceptions=True)
    finally:
        mesh.runtime(rate_limit__ListOrders__enforced=100)


async def test_a_crowd_that_names_no_deadline_is_told_deadline_and_nothing_else(mesh: Mesh) -> None:
    """Were the route's time-out sent on as gRPC's, some would be reset by the server first, and told of an overload."""
    codes: Counter[str] = Counter()
    async with upstream(mesh.ports["order_serve_0"], never) as orders, mesh.channel("gateway") as channel:
        await mesh.healthy("order", 1)

        async def ask_once() -> None:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await raw(channel, GET_ORDER)(b"", metadata=mesh.bearer())
            codes[raised.value.code().name] += 1

        await asyncio.gather(*(ask_once() for _ in range(400)))
        assert codes == {"DEADLINE_EXCEEDED": 400}
        assert len(orders.calls) == 400


async def test_json_is_refused_in_its_own_words(mesh: Mesh) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}/v1/seller/analytics"
    async with upstream(mesh.ports["order_serve_0"]):
        await mesh.healthy("order", 1)
        answers = await asyncio.gather(*(ask(url, mesh.token()) for _ in range(40)))
    refused = [each for each in answers if each.status == 429]
    assert len(refused) >= 20
    told = {(each.kind, each.reason, each.body["code"], each.retry_after) for each in refused}
    assert told == {("application/json", "OVERLOADED", 8, "1")}
