"""`peakmesh fault` on a real Envoy: what is armed, told and cleared, and a fault that outlives who armed it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from envoy.fault_targets import TARGETS
from tests.integration.envoy.mesh import QUOTE_PROMOTION, Mesh, raw, upstream
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


async def test_every_target_can_be_armed(mesh: Mesh) -> None:
    for target in TARGETS:
        keys = {f"chaos__{target}__delay_percent": 1}
        mesh.runtime(**keys)
    assert [each["target"] for each in listed(mesh)] == list(TARGETS)
    assert peakmesh(mesh, "clear").exit_code == 0
    assert listed(mesh) == []


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

        await eventually(over, within=8)
    assert listed(mesh) == []


@pytest.mark.parametrize("words", [("set", "nobody", "--delay", "1s"), ("set", "promo"), ("clear", "redis")])
def test_what_cannot_be_is_told_in_a_line(mesh: Mesh, words: tuple[str, ...]) -> None:
    answer = peakmesh(mesh, *words)
    assert answer.exit_code == 1
    assert len(answer.stderr.strip().splitlines()) == 1
