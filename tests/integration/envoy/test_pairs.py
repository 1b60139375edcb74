"""Two of a kind behind Envoy: one that does not run costs no call, and a fault of theirs is a fault of both."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest

from tests.integration.envoy.mesh import GET_SALE, QUOTE_PROMOTION, Mesh, Upstream, raw, upstream
from tests.polling import eventually

CALLS = 40
LATE, MOST_LATE = "DEADLINE_EXCEEDED", 4
SYNC_FLAGS = "/flagd.sync.v1.FlagSyncService/SyncFlags"


@asynccontextmanager
async def promos(mesh: Mesh, *ports: str) -> AsyncIterator[list[Upstream]]:
    await mesh.healthy("promo", 0)  # the health checks have forgotten the processes of the test before
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(upstream(mesh.ports[port])) for port in ports]
        await mesh.healthy("promo", len(ports))
        yield servers


async def statuses(mesh: Mesh) -> tuple[set[str], int]:
    """Of CALLS quotes, one after the other, and how many it took: of a busy machine one may pass the 45 ms of its
    route, and is asked anew."""
    found, late = set(), 0
    async with mesh.channel("egress") as channel:
        for _ in range(CALLS):
            while (status := await quoted(channel)) == LATE and late < MOST_LATE:
                late += 1
            found.add(status)
    return found, CALLS + late


async def quoted(channel: grpc.aio.Channel) -> str:
    try:
        await raw(channel, QUOTE_PROMOTION)(b"", timeout=2)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.parametrize("alone", ["promo", "promo_1"])
async def test_one_of_two_that_does_not_run_costs_no_call(mesh: Mesh, alone: str) -> None:
    async with promos(mesh, alone) as [server]:
        ends, asked = await statuses(mesh)
        assert ends == {"OK"}
        assert len(server.calls) == asked


async def test_both_take_calls_and_both_are_armed(mesh: Mesh) -> None:
    async with promos(mesh, "promo", "promo_1") as both:
        ends, asked = await statuses(mesh)
        assert ends == {"OK"}
        taken = [len(server.calls) for server in both]
        assert sorted(taken) == [asked // 2, asked - asked // 2]
        mesh.runtime(chaos__promo__abort_percent=100)
        try:
            ends, _ = await statuses(mesh)
            assert ends == {"UNAVAILABLE"}
            assert [len(server.calls) for server in both] == taken
            # Broken on purpose, and there: their breaker cuts them off, not their health checks.
            flags = re.findall(r"^promo::.*::health_flags::(.*)$", mesh.admin("/clusters"), re.MULTILINE)
            assert flags == ["/failed_outlier_check"] * 2
        finally:
            mesh.runtime(chaos__promo__abort_percent=0)
    await eventually(lambda: mesh.counter("cluster.promo.outlier_detection.ejections_active") == 0)


async def test_a_lone_governor_is_asked_alone_by_operators_and_by_processes(mesh: Mesh) -> None:
    await mesh.healthy("governor", 0)
    async with upstream(mesh.ports["governor_1"]) as alone, mesh.channel("operators") as operators:
        await mesh.healthy("governor", 1)
        for _ in range(CALLS):
            await raw(operators, GET_SALE)(b"", timeout=5, metadata=mesh.bearer())
        assert len(alone.calls) == CALLS
        async with mesh.channel("egress") as inside:
            assert await raw(inside, SYNC_FLAGS)(b"", timeout=5) == b""
