"""Two of a kind behind Envoy: one that does not run costs no call, and a fault of theirs is a fault of both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from tests.integration.envoy.mesh import GET_SALE, QUOTE_PROMOTION, Mesh, Upstream, raw, upstream

CALLS = 40
SYNC_FLAGS = "/flagd.sync.v1.FlagSyncService/SyncFlags"


@asynccontextmanager
async def promos(mesh: Mesh, *ports: str) -> AsyncIterator[list[Upstream]]:
    async with asyncio.TaskGroup(), upstream(mesh.ports[ports[0]]) as first:
        if len(ports) == 1:
            await mesh.healthy("promo", 1)
            yield [first]
            return
        async with upstream(mesh.ports[ports[1]]) as second:
            await mesh.healthy("promo", 2)
            yield [first, second]


async def statuses(mesh: Mesh) -> set[str]:
    """Of CALLS quotes, one after the other."""
    found = set()
    async with mesh.channel("egress") as channel:
        for _ in range(CALLS):
            try:
                await raw(channel, QUOTE_PROMOTION)(b"", timeout=2)
                found.add("OK")
            except grpc.aio.AioRpcError as error:
                found.add(error.code().name)
    return found


@pytest.mark.parametrize("alone", ["promo", "promo_1"])
async def test_one_of_two_that_does_not_run_costs_no_call(mesh: Mesh, alone: str) -> None:
    async with promos(mesh, alone) as [server]:
        assert await statuses(mesh) == {"OK"}
        assert len(server.calls) == CALLS


async def test_both_take_calls_and_both_are_armed(mesh: Mesh) -> None:
    async with promos(mesh, "promo", "promo_1") as both:
        assert await statuses(mesh) == {"OK"}
        assert [len(server.calls) for server in both] == [CALLS // 2] * 2
        mesh.runtime(chaos__promo__abort_percent=100)
        try:
            assert await statuses(mesh) == {"UNAVAILABLE"}
            assert [len(server.calls) for server in both] == [CALLS // 2] * 2
            # Slowed and broken on purpose, not gone: their breaker cuts them off, not their health.
            assert mesh.counter("cluster.promo.health_check.failure") == mesh.counter(
                "cluster.promo.health_check.failure"
            )
        finally:
            mesh.runtime(chaos__promo__abort_percent=0)


async def test_what_a_governor_that_dies_was_asked_the_other_answers(mesh: Mesh) -> None:
    async with upstream(mesh.ports["governor"]) as stays:
        await mesh.healthy("governor", 1)
        async with mesh.channel("operators") as operators:
            for _ in range(CALLS):
                await raw(operators, GET_SALE)(b"", timeout=5, metadata=mesh.bearer())
        assert len(stays.calls) == CALLS
        async with mesh.channel("egress") as inside:
            assert await raw(inside, SYNC_FLAGS)(b"", timeout=5) == b""
