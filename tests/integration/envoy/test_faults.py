"""`peakmesh fault` on a real Envoy: what is armed, told and cleared, and a fault that outlives who armed it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from envoy.fault_targets import TARGETS
from meshkit.identity import Role
from tests.integration.envoy.mesh import GET_ORDER, QUOTE_PROMOTION, Mesh, raw, timed, upstream
from tests.polling import eventually
from tools.cli.__main__ import app


def peakmesh(mesh: Mesh, *words: str) -> Result:
    environment = {"PEAKMESH_PORT_BASE": str(mesh.ports.base), "PEAKMESH_RUN_DIR": str(mesh.run_dir)}
    return CliRunner().invoke(app, ["fault", *words], env=environment)


def listed(mesh: Mesh) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(peakmesh(mesh, "ls", "--json").stdout)
    return told


async def status_of(channel: grpc.aio.Channel) -> str:
    try:
        await raw(channel, QUOTE_PROMOTION)(b"", timeout=2)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_a_fault_is_armed_listed_and_cleared(mesh: Mesh) -> None:
    async with upstream(mesh.ports["promo"]), mesh.channel("promo_inbound") as channel:
        assert peakmesh(mesh, "set", "promo", "--abort", "data_loss").exit_code == 0
        assert await status_of(channel) == "DATA_LOSS"
        assert peakmesh(mesh, "set", "wallet", "--delay", "400ms", "--percent", "30", "--for", "1h").exit_code == 0
        promo, wallet = listed(mesh)
        left = wallet.pop("seconds_left")
        assert promo == {"target": "promo", "abort": "DATA_LOSS", "delay_ms": 0, "percent": 100, "seconds_left": None}
        assert wallet == {"target": "wallet", "abort": "", "delay_ms": 400, "percent": 30}
        assert 3_500 < left <= 3_600
        assert peakmesh(mesh, "clear", "promo").exit_code == 0
        assert await status_of(channel) == "OK"
        assert peakmesh(mesh, "clear").exit_code == 0
        assert listed(mesh) == []


# Of each target a call as its callers make it: through which listener, and the server that would answer.
CALLS = {
    "promo": ("egress", QUOTE_PROMOTION, "promo"),
    "wallet": ("egress", "/peakmesh.provider.v1.WalletService/Debit", "providers"),
    "shipping": ("egress", "/peakmesh.provider.v1.ShippingService/QuoteShipping", "providers"),
    "invoice": ("egress", "/peakmesh.provider.v1.InvoiceService/IssueInvoice", "providers"),
    "loyalty": ("egress", "/peakmesh.provider.v1.LoyaltyService/GrantCoins", "providers"),
    "engagement": ("gateway", "/peakmesh.engagement.v1.RecommendationService/Recommend", "engagement"),
    "orders": ("gateway", GET_ORDER, "order_serve_0"),
}
# Called by way of a cluster that asks for health first.
CHECKED = {"promo": "promo", "orders": "order", "engagement": "engagement"}
# Of a delay of 300 ms: Envoy's timers count from when its loop last looked at the clock.
SLOW_SECONDS = 0.25
CANCEL_ORDER = "/peakmesh.order.v1.OrderService/CancelOrder"
RESOLVE_ORDER = "/peakmesh.order.v1.OrderOpsService/ResolveOrder"


async def called(mesh: Mesh, channel: grpc.aio.Channel, method: str, role: Role = Role.BUYER) -> tuple[str, float]:
    """Its status, and the seconds it took."""
    async with timed() as seconds:
        try:
            await raw(channel, method)(b"", timeout=5, metadata=mesh.bearer(role))
            status = "OK"
        except grpc.aio.AioRpcError as error:
            status = error.code().name
    return status, seconds[0]


async def ends(mesh: Mesh, channel: grpc.aio.Channel, method: str, status: str, slow: bool) -> None:
    """Asked again where the machine was slow, and not the call: what is armed is armed for every call."""

    async def check() -> bool:
        found, took = await called(mesh, channel, method)
        return (found, took > SLOW_SECONDS) == (status, slow)

    await eventually(check, within=5)


@pytest.fixture
def disarmed(mesh: Mesh) -> Iterator[None]:
    """Nothing is armed after the test, however it ended."""
    yield
    assert peakmesh(mesh, "clear").exit_code == 0


@pytest.mark.usefixtures("disarmed")
@pytest.mark.parametrize("target", TARGETS)
async def test_each_target_fails_and_slows_its_own_calls(mesh: Mesh, target: str) -> None:
    listener, method, server = CALLS[target]
    async with upstream(mesh.ports[server]) as behind, mesh.channel(listener) as channel:
        if target in CHECKED:
            await mesh.healthy(CHECKED[target], 1)
        await ends(mesh, channel, method, "OK", slow=False)
        assert peakmesh(mesh, "set", target, "--abort", "unavailable", "--for", "60s").exit_code == 0
        came = len(behind.calls)
        assert (await called(mesh, channel, method))[0] == "UNAVAILABLE"
        assert len(behind.calls) == came
        [armed] = listed(mesh)
        assert (armed["target"], armed["abort"], armed["percent"]) == (target, "UNAVAILABLE", 100)
        assert 50 < armed["seconds_left"] <= 60
        assert peakmesh(mesh, "set", target, "--delay", "300ms", "--for", "60s").exit_code == 0
        # A quote has 45 ms on its route.
        await ends(mesh, channel, method, *(("DEADLINE_EXCEEDED", False) if target == "promo" else ("OK", True)))
        assert peakmesh(mesh, "clear", target).exit_code == 0
        assert listed(mesh) == []
        await ends(mesh, channel, method, "OK", slow=False)


@pytest.mark.usefixtures("disarmed")
async def test_a_fault_of_reads_leaves_what_buyers_cancel_and_operators_mend(mesh: Mesh) -> None:
    async with (
        upstream(mesh.ports["order_serve_0"]),
        mesh.channel("gateway") as gateway,
        mesh.channel("operators") as operators,
    ):
        await mesh.healthy("order", 1)
        assert peakmesh(mesh, "set", "orders", "--abort", "unavailable").exit_code == 0
        assert (await called(mesh, gateway, GET_ORDER))[0] == "UNAVAILABLE"
        assert (await called(mesh, gateway, CANCEL_ORDER))[0] == "OK"
        assert (await called(mesh, operators, RESOLVE_ORDER, Role.OPERATOR))[0] == "OK"


async def test_it_ends_in_time_though_its_command_was_killed(mesh: Mesh) -> None:
    words = (
        "from tools.cli.__main__ import main\nimport sys, os, signal\ntry:\n main()\nfinally:\n os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PEAKMESH_PORT_BASE": str(mesh.ports.base), "PEAKMESH_RUN_DIR": str(mesh.run_dir)}
    command = [sys.executable, "-c", words, "fault", "set", "promo", "--abort", "UNAVAILABLE", "--for", "3s"]
    killed = await asyncio.to_thread(subprocess.run, command, env=environment, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    async with upstream(mesh.ports["promo"]), mesh.channel("promo_inbound") as channel:
        assert await status_of(channel) == "UNAVAILABLE"

        async def over() -> bool:
            return await status_of(channel) == "OK"

        await eventually(over)
    assert listed(mesh) == []


@pytest.mark.parametrize("words", [("set", "nobody", "--delay", "1s"), ("set", "promo"), ("clear", "redis")])
def test_what_cannot_be_is_told_in_a_line(mesh: Mesh, words: tuple[str, ...]) -> None:
    answer = peakmesh(mesh, *words)
    assert answer.exit_code == 1
    assert len(answer.stderr.strip().splitlines()) == 1
