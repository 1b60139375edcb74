"""The supervisor over a tiny process instead of servers: order, restarts, giving up, holding, stopping."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.polling import eventually
from tools.devstack.life import Policy
from tools.devstack.order import by_name
from tools.devstack.single import drop_process, kill_process
from tools.devstack.spec import Mesh, ProcessSpec
from tools.devstack.state import Entry, Pid, Wanted, read_state, read_wanted, write_wanted
from tools.devstack.supervise import Supervisor

FAKE = Path(__file__).with_name("fake_process.py")
FAST = Policy(first_delay=0.02, longest_delay=0.1, quick_seconds=5.0, give_up_after=3)


@pytest.fixture
def place(tmp_path: Path) -> Mesh:
    return Mesh(tmp_path, 0)


def fake(mesh: Mesh, name: str, *words: str, needs: Sequence[str] = (), once: bool = False) -> ProcessSpec:
    async def has_started(_: Mesh) -> None:
        if not file.read_text().splitlines()[-1].startswith("started"):
            raise FileNotFoundError(file)

    file = mesh.run_dir / name
    argv = [sys.executable, str(FAKE), str(file), *words]
    return ProcessSpec(name, lambda _: argv, depends_on=tuple(needs), probe=has_started, once=once, stop_grace=2.0)


@asynccontextmanager
async def supervised(mesh: Mesh, *specs: ProcessSpec) -> AsyncIterator[asyncio.Task[str | None]]:
    write_wanted(mesh, Wanted(names=[spec.name for spec in specs]))
    stop = asyncio.Event()
    task = asyncio.create_task(Supervisor(mesh, by_name(specs), FAST).run(stop))
    try:
        yield task
    finally:
        stop.set()
        await task


def entry(mesh: Mesh, name: str) -> Entry:
    return read_state(mesh).processes.get(name, Entry())


def lines(mesh: Mesh, name: str) -> list[str]:
    return [line.strip() for line in (mesh.run_dir / name).read_text().splitlines()]


async def test_what_is_needed_is_ready_first_and_stops_last(place: Mesh) -> None:
    async with supervised(place, fake(place, "base"), fake(place, "top", needs=["base"])):
        await eventually(lambda: entry(place, "top").state == "ready")
        base, top = entry(place, "base").pid, entry(place, "top").pid
        assert base is not None
        assert top is not None
        assert base.created < top.created
        assert read_state(place).warm_seconds is not None
    stopped = (place.run_dir / "base").stat().st_mtime_ns, (place.run_dir / "top").stat().st_mtime_ns
    assert stopped[0] > stopped[1]
    assert lines(place, "base") == lines(place, "top") == ["started", "stopped"]
    assert read_state(place).supervisor is None
    assert Pid.process(base) is None


async def test_a_crashed_process_comes_back_and_is_counted(place: Mesh) -> None:
    async with supervised(place, fake(place, "shop")) as running:
        await eventually(lambda: entry(place, "shop").state == "ready")
        killed = kill_process("shop", mesh=place)
        await eventually(lambda: entry(place, "shop").state == "ready" and entry(place, "shop").restarts == 1)
        again = entry(place, "shop").pid
        assert again is not None
        assert again.number != killed
        assert not running.done()
    assert not psutil.pid_exists(again.number)


async def test_a_process_that_keeps_crashing_ends_all_with_its_last_lines(place: Mesh) -> None:
    async with supervised(place, fake(place, "steady"), fake(place, "shaky", "0", "7")) as running:
        failure = await asyncio.wait_for(running, 10)
    assert failure is not None
    assert failure.startswith("shaky crashed 3 times in a row, at last with status 7")
    assert failure.endswith("fake process gives in")
    assert lines(place, "shaky").count("started") == FAST.give_up_after
    assert lines(place, "steady")[-1] == "stopped"
    assert read_state(place).failure == failure


async def test_a_step_that_fails_is_not_tried_again(place: Mesh) -> None:
    step = fake(place, "step", "0", "3", once=True)
    async with supervised(place, step, fake(place, "after", needs=["step"])) as running:
        failure = await asyncio.wait_for(running, 10)
    assert failure is not None
    assert failure.startswith("step ended with status 3")
    assert lines(place, "step") == ["started"]
    assert not (place.run_dir / "after").exists()


async def test_a_step_that_ends_well_lets_the_next_start(place: Mesh) -> None:
    step = fake(place, "step", "0", once=True)
    async with supervised(place, step, fake(place, "after", needs=["step"])):
        await eventually(lambda: entry(place, "after").state == "ready")
        assert entry(place, "step").state == "done"
    assert lines(place, "step") == ["started"]


async def test_a_held_process_stays_stopped_until_it_may_run(place: Mesh) -> None:
    async with supervised(place, fake(place, "shop")):
        await eventually(lambda: entry(place, "shop").state == "ready")
        wanted = read_wanted(place)
        write_wanted(place, Wanted(wanted.names, held=["shop"]))
        await eventually(lambda: entry(place, "shop").state == "held")
        assert lines(place, "shop") == ["started", "stopped"]
        write_wanted(place, Wanted(wanted.names))
        await eventually(lambda: entry(place, "shop").state == "ready")
    assert lines(place, "shop") == ["started", "stopped"] * 2


async def test_a_dropped_process_is_stopped_and_the_others_are_not(place: Mesh) -> None:
    async with supervised(place, fake(place, "shop"), fake(place, "second")):
        await eventually(lambda: entry(place, "second").state == "ready")
        await asyncio.to_thread(drop_process, "second", place)
        assert entry(place, "second").pid is None
        write_wanted(place, Wanted(["shop", "second"]))
        await eventually(lambda: entry(place, "second").state == "ready")
    assert lines(place, "shop") == ["started", "stopped"]
    assert lines(place, "second") == ["started", "stopped"] * 2


async def test_the_environment_of_a_restart_is_for_one_start(place: Mesh) -> None:
    async with supervised(place, fake(place, "shop")):
        await eventually(lambda: entry(place, "shop").state == "ready")
        wanted = read_wanted(place)
        write_wanted(place, Wanted(wanted.names, restarts={"shop": (1, {"FAKE": "crash point"})}))
        await eventually(lambda: lines(place, "shop")[-1] == "started crash point")
        await eventually(lambda: entry(place, "shop").state == "ready")
        kill_process("shop", mesh=place)
        await eventually(lambda: lines(place, "shop")[-1] == "started")
    assert lines(place, "shop") == ["started", "stopped", "started crash point", "started", "stopped"]


async def test_a_process_that_never_gets_ready_is_named(place: Mesh) -> None:
    async def refuses(_: Mesh) -> None:
        raise ConnectionRefusedError("nobody there")

    argv = [sys.executable, str(FAKE), str(place.run_dir / "mute")]
    mute = ProcessSpec("mute", lambda _: argv, probe=refuses, ready_within=0.3, stop_grace=2.0)
    async with supervised(place, mute) as running:
        failure = await asyncio.wait_for(running, 10)
    assert failure is not None
    assert failure.startswith("mute was not ready after 0 s (ConnectionRefusedError: nobody there)")
