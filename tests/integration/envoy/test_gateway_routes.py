"""How the gateway spreads, limits and repeats calls."""

import asyncio
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack
from urllib.request import Request, urlopen

import grpc
import pytest

from meshkit.errors import DeadlinePassed, DependencyUnavailable, PeakmeshError, TooLarge
from meshkit.rpc.client import typed_error
from tests.integration.envoy.mesh import (
    GET_ORDER,
    PLACE_ORDER,
    Mesh,
    RefusalError,
    never,
    raw,
    timed,
    upstream,
)
from tests.polling import eventually

WATCH_ORDER = "/peakmesh.order.v1.OrderService/WatchOrder"


async def refused(mesh: Mesh, method: str, body: bytes = b"", door: str = "gateway") -> PeakmeshError:
    async with mesh.channel(door) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await raw(channel, method)(body, metadata=mesh.bearer(), timeout=10)
    return typed_error(raised.value, "gateway")


async def test_two_checkout_processes_share_the_load(mesh: Mesh) -> None:
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(upstream(mesh.ports[f"checkout_{i}"])) for i in (0, 1)]
        channel = await stack.enter_async_context(mesh.channel("gateway"))
        await mesh.healthy("checkout", 2)
        place_order, bearer = raw(channel, PLACE_ORDER), mesh.bearer()
        await asyncio.gather(*(place_order(b"", metadata=bearer, timeout=5) for _ in range(100)))
    assert [len(each.calls) for each in both] == [50, 50]


async def test_a_process_that_is_gone_costs_no_call(mesh: Mesh) -> None:
    async with upstream(mesh.ports["checkout_0"]), mesh.channel("gateway") as channel:
        place_order, bearer = raw(channel, PLACE_ORDER), mesh.bearer()
        async with upstream(mesh.ports["checkout_1"]):
            await mesh.healthy("checkout", 2)
        # No wait for the health check to notice: the connection that is refused is tried on the other process.
        answers = [await place_order(b"\x02", metadata=bearer, timeout=5) for _ in range(20)]
    assert answers == [b"\x02"] * 20


async def test_a_process_killed_in_the_middle_of_its_calls_costs_none_of_them(mesh: Mesh) -> None:
    server = ("-m", "tests.integration.envoy.hanging_server", str(mesh.ports["checkout_1"]))
    async with upstream(mesh.ports["checkout_0"]) as stays, mesh.channel("gateway") as channel:
        await mesh.healthy("checkout", 1)  # the health checks have forgotten the processes of the test before
        goes = await asyncio.create_subprocess_exec(sys.executable, *server)
        try:
            await mesh.healthy("checkout", 2)
            place_order, bearer = raw(channel, PLACE_ORDER), mesh.bearer()
            calls = [asyncio.ensure_future(place_order(b"\x03", metadata=bearer, timeout=5)) for _ in range(10)]
            await eventually(lambda: len(stays.calls) == 5 == mesh.counter("cluster.checkout.upstream_rq_active"))
        finally:
            goes.kill()
            await goes.wait()
        assert await asyncio.gather(*calls) == [b"\x03"] * 10
    assert len(stays.calls) == 10


async def test_callers_that_give_up_break_nobody_elses_call(mesh: Mesh) -> None:
    """They share a connection behind the gateway. Envoy takes many quick resets for an attack and closes it: by default
    after 250."""
    let_go = asyncio.Event()

    async def slow(body: bytes) -> bytes:
        await let_go.wait()
        return body

    async with upstream(mesh.ports["order_serve_0"], slow) as orders, mesh.channel("gateway") as hasty:
        await mesh.healthy("order", 1)
        async with mesh.channel("gateway") as calm:
            bearer = mesh.bearer()
            # A route without a time-out: 600 callers take a busy machine longer than the two seconds of the others.
            stays = asyncio.ensure_future(raw(calm, WATCH_ORDER)(b"stays", metadata=bearer))
            await eventually(lambda: bool(orders.calls))
            gone = (raw(hasty, GET_ORDER)(b"", metadata=bearer, timeout=0.5) for _ in range(600))
            ends = await asyncio.gather(*gone, return_exceptions=True)
            assert {end.code().name for end in ends if isinstance(end, grpc.aio.AioRpcError)} == {"DEADLINE_EXCEEDED"}
            let_go.set()
            assert await stays == b"stays"


async def test_faults_of_orders_reads_reach_no_cancel_and_no_health_check(mesh: Mesh) -> None:
    cancel = GET_ORDER.replace("GetOrder", "CancelOrder")
    async with upstream(mesh.ports["order_serve_0"]) as behind, mesh.channel("gateway") as channel:
        await mesh.healthy("order", 1)
        mesh.runtime(chaos__orders__abort_percent=100)
        try:
            error = await refused(mesh, GET_ORDER)
            assert await raw(channel, cancel)(b"", metadata=mesh.bearer(), timeout=5) == b""
            assert mesh.counter("cluster.order.membership_healthy") == 1
        finally:
            mesh.runtime(chaos__orders__abort_percent=0)
        assert await raw(channel, GET_ORDER)(b"", metadata=mesh.bearer(), timeout=5) == b""
    assert isinstance(error, DependencyUnavailable)
    assert [called for called, _ in behind.calls] == [cancel, GET_ORDER]


@pytest.mark.parametrize(("method", "port", "cluster"), [
    (PLACE_ORDER, "checkout_0", "checkout"), (GET_ORDER, "order_serve_0", "order"),
])  # fmt: skip
@pytest.mark.parametrize(("code", "attempts"), [
    (grpc.StatusCode.UNAVAILABLE, 2),
    (grpc.StatusCode.FAILED_PRECONDITION, 1),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, 1),
    (grpc.StatusCode.INTERNAL, 1),
])  # fmt: skip
async def test_only_unavailable_is_repeated_and_once(
    mesh: Mesh, method: str, port: str, cluster: str, code: grpc.StatusCode, attempts: int
) -> None:
    async def refuse(_: bytes) -> bytes:
        raise RefusalError(code)

    async with upstream(mesh.ports[port], refuse) as behind, mesh.channel("gateway") as channel:
        await mesh.healthy(cluster, 1)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await raw(channel, method)(b"", metadata=mesh.bearer(), timeout=5)
    assert raised.value.code() is code
    assert Counter(called for called, _ in behind.calls) == {method: attempts}


async def test_a_call_that_the_route_outlives_is_told_that_its_outcome_is_unknown(mesh: Mesh) -> None:
    async with upstream(mesh.ports["order_serve_0"], never) as behind:
        await mesh.healthy("order", 1)
        async with timed() as seconds:
            error = await refused(mesh, GET_ORDER)
    assert isinstance(error, DeadlinePassed)
    assert 1.9 < seconds[0] < 5
    assert len(behind.calls) == 1


async def test_without_a_server_the_answer_is_unavailable_with_a_time_to_come_back(mesh: Mesh) -> None:
    await mesh.healthy("order", 0)
    error = await refused(mesh, GET_ORDER)
    assert isinstance(error, DependencyUnavailable)
    assert error.retry_after == 1.0


async def test_a_message_that_is_too_large_stops_at_the_door(mesh: Mesh) -> None:
    async with upstream(mesh.ports["order_serve_0"]) as behind:
        await mesh.healthy("order", 1)
        error = await refused(mesh, GET_ORDER, b"x" * 300_000)
    assert isinstance(error, TooLarge)
    assert behind.calls == []


async def test_a_browser_may_call_by_grpc_web(mesh: Mesh) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}{GET_ORDER}"
    headers = {
        "content-type": "application/grpc-web+proto",
        "origin": "http://localhost:5173",
        "authorization": mesh.bearer()[0][1],
    }
    message = b"\x00\x00\x00\x00\x01\x07"  # one frame: no compression, length 1

    def post() -> tuple[bytes, str, str]:
        with urlopen(Request(url, message, headers), timeout=5) as answer:
            exposed, origin = (answer.headers[f"access-control-{name}"] for name in ("expose-headers", "allow-origin"))
            return answer.read(), exposed, origin

    async with upstream(mesh.ports["order_serve_0"]):
        await mesh.healthy("order", 1)
        body, exposed, origin = await asyncio.to_thread(post)
    assert body.startswith(message)
    assert b"grpc-status:0" in body
    assert "grpc-status-details-bin" in exposed
    assert origin == "http://localhost:5173"


async def test_failures_are_in_the_access_log(mesh: Mesh) -> None:
    await refused(mesh, "/peakmesh.checkout.v2.CheckoutService/PlaceOrder")
    log = mesh.run_dir / "logs" / "envoy_access.log"
    await eventually(lambda: "checkout.v2" in log.read_text())
    entry = next(json.loads(line) for line in log.read_text().splitlines() if "checkout.v2" in line)
    assert (entry["listener"], entry["grpc_status"]) == ("gateway", "Unimplemented")
