"""Whatever ends a run, the mesh is left as it was."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.polling import eventually
from tools.chaos.act import Acting
from tools.chaos.scenario import Arm, OnProcess

NOBODY = 1  # a port that nobody listens on


@dataclass
class Recorded:
    """Implements Processes."""

    did: list[str] = field(default_factory=list)
    broken: str = ""

    def _do(self, what: str, name: str) -> None:
        self.did.append(f"{what} {name}")
        if what == self.broken:
            raise ValueError(f"cannot {what}")

    def stop(self, name: str) -> None:
        self._do("stop", name)

    def start(self, name: str) -> None:
        self._do("start", name)

    def crash(self, name: str) -> None:
        self._do("crash", name)

    def freeze(self, name: str) -> None:
        self._do("freeze", name)

    def thaw(self, name: str) -> None:
        self._do("thaw", name)

    def restart(self, name: str) -> None:
        self._do("restart", name)


def on(do: str, process: str) -> OnProcess:
    return OnProcess.model_validate({"at": 0, "do": do, "process": process})


async def test_what_is_still_done_at_a_ctrl_c_is_undone_last_first(tmp_path: Path) -> None:
    processes = Recorded()

    async def run() -> None:
        async with Acting(processes, tmp_path, NOBODY) as acting:
            await acting(on("kill", "governor"))
            await acting(on("freeze", "promo_svc"))
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await eventually(lambda: "freeze promo_svc" in processes.did)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes.did == ["stop governor", "freeze promo_svc", "thaw promo_svc", "start governor"]


async def test_what_the_scenario_healed_is_left_alone(tmp_path: Path) -> None:
    processes = Recorded()
    async with Acting(processes, tmp_path, NOBODY) as acting:
        for do in ("freeze", "thaw", "crash", "restart"):
            await acting(on(do, "promo_svc"))
    assert [each.split()[0] for each in processes.did] == ["freeze", "thaw", "crash", "restart"]
    assert acting.failed == []


async def test_what_cannot_be_undone_is_told_and_keeps_nothing_else_from_it(tmp_path: Path) -> None:
    processes = Recorded(broken="thaw")
    async with Acting(processes, tmp_path, NOBODY) as acting:
        await acting(on("kill", "governor"))
        await acting(on("freeze", "promo_svc"))
        with pytest.raises(ValueError, match="is the mesh up"):
            await acting(Arm(at=0, do="arm", target="promo", delay_ms=400))
    assert processes.did[-1] == "start governor"
    assert [each.split(":")[0] for each in acting.failed] == ["clear promo", "freeze promo_svc"]
