"""What fails or floods costs a buyer neither an order nor a wait; each scenario leaves the mesh as it was."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.polling import eventually
from tools.chaos.faults import armed
from tools.chaos.scenario import read_scenario, shipped
from tools.cli.fault_run import play_on
from tools.devstack import Mesh, status


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", shipped())
async def test_a_scenario_holds(name: str, mesh: Mesh, figure: Callable[[str], None]) -> None:
    """Played once: what holds at the second try is not held."""
    played = await play_on(mesh, read_scenario(name), print)
    lines = [f"{'held ' if each.held else 'BROKE'} {each.expected}: {each.measured}" for each in played.verdicts]
    for line in lines:
        figure(line)
    assert played.held, "\n".join(lines)


SCENARIO = """
says: Nothing is put back before a minute is over.
load: {order_with_voucher: 5}
actions:
- {at: 0.5, do: freeze, process: promo_svc}
- {at: 0.5, do: arm, target: wallet, delay_ms: 10}
- {at: 60, do: clear, target: wallet}
- {at: 60, do: thaw, process: promo_svc}
expects: [{expect: succeeds, call: order_with_voucher}]
"""


async def test_ctrl_c_puts_everything_back(mesh: Mesh, tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(SCENARIO)
    environment = os.environ | {"PEAKMESH_PORT_BASE": str(mesh.port_base), "PEAKMESH_RUN_DIR": str(mesh.run_dir)}
    command = [sys.executable, "-m", "tools.cli", "fault", "run", str(tmp_path / "long.yaml")]
    promo = psutil.Process(next(row.pid for row in status(mesh.run_dir, mesh.port_base) if row.name == "promo_svc"))
    admin = mesh.ports["admin"]
    run = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)
    await eventually(lambda: bool(armed(admin)), within=60)
    assert promo.status() == psutil.STATUS_STOPPED
    run.send_signal(signal.SIGINT)
    assert await run.wait() == 130
    assert promo.status() != psutil.STATUS_STOPPED
    assert armed(admin) == []
