"""What people and tests do with a mesh: up, down, status, and single processes by name."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tools.devstack.logfile import tail
from tools.devstack.order import closure
from tools.devstack.spec import ROOT, DevstackError, Mesh
from tools.devstack.state import (
    StackState,
    Wanted,
    read_state,
    read_wanted,
    state_file,
    write_state,
    write_wanted,
)
from tools.devstack.table import TABLE, environment, table_of, usual
from tools.devstack.taken import check_ports

_LOOK_EVERY = 0.03
_STOP_WITHIN = 60.0
_SETTLED = ("ready", "done", "held")


@dataclass(frozen=True)
class ProcessStatus:
    """rss_mb: resident memory now; seconds_to_ready: from its start to its first passed probe; ports: by name."""

    name: str
    state: str
    pid: int | None
    restarts: int
    rss_mb: float
    seconds_to_ready: float | None
    ports: dict[str, int]


def up(
    run_dir: Path | None = None,
    port_base: int | None = None,
    only: Sequence[str] | None = None,
    progress: Callable[[str], None] = print,
    env: Mapping[str, Mapping[str, str]] | None = None,
    pairs: bool = False,
) -> float:
    """Starts what is not running yet and returns when all of it is ready, with the seconds that took.

    `only` names processes; what they need starts too. `env` maps a process to variables it gets at each start from now.
    `pairs`: two of every process of ours, as with PEAKMESH_PAIRS.
    Raises DevstackError: a port is taken, a package is missing, or a process cannot be kept running, which stops all.
    """
    mesh = Mesh.of(run_dir, port_base)
    mesh = replace(mesh, pairs=pairs or mesh.pairs)
    begun = time.monotonic()
    table = table_of(mesh)
    names = closure(table, usual(mesh) if only is None else only)
    running = is_up(mesh)
    if not running:
        _end_orphans(mesh)
    present = read_state(mesh).processes if running else {}
    check_ports(mesh, [table[name] for name in names if name not in present])
    wanted = read_wanted(mesh) if running else Wanted()
    wanted.names = list(dict.fromkeys(wanted.names + names))
    wanted.env |= {name: dict(variables) for name, variables in (env or {}).items()}
    write_wanted(mesh, wanted)
    try:
        child = None if running else _spawn(mesh)
        _follow(mesh, names, progress, child)
    except KeyboardInterrupt:
        down(mesh.run_dir, mesh.port_base)
        raise
    return time.monotonic() - begun


def down(run_dir: Path | None = None, port_base: int | None = None) -> bool:
    """Stops all, in reverse order, and waits for it. False when nothing ran."""
    mesh = Mesh.of(run_dir, port_base)
    state = read_state(mesh)
    process = state.supervisor.process() if state.supervisor else None
    if process is None:
        return _end_orphans(mesh)
    process.send_signal(signal.SIGTERM)
    try:
        psutil.wait_procs([process], timeout=_STOP_WITHIN)
    finally:
        _end_orphans(mesh)
    return True


def expected(mesh: Mesh) -> list[str]:
    """The processes that this mesh should have: those it was told to start, or, where none runs, the usual ones."""
    return read_wanted(mesh).names if is_up(mesh) else usual(mesh)


def is_up(mesh: Mesh | None = None) -> bool:
    """Whether a supervisor runs; its processes may still be starting."""
    supervisor = read_state(mesh or Mesh.of()).supervisor
    return supervisor is not None and supervisor.process() is not None


def status(run_dir: Path | None = None, port_base: int | None = None) -> list[ProcessStatus]:
    """Every process that was asked for, in starting order; empty when no mesh runs there."""
    mesh = Mesh.of(run_dir, port_base)
    state, table = read_state(mesh), table_of(mesh)
    rows = []
    for name, entry in state.processes.items():
        process = entry.pid.process() if entry.pid else None
        shown = entry.state if is_up(mesh) else "stopped"
        memory = _resident_mb(process)
        ports = {port: mesh.ports[port] for port in table[name].ports} if name in table else {}
        pid = process.pid if process else None
        rows.append(ProcessStatus(name, shown, pid, entry.restarts, memory, entry.seconds_to_ready, ports))
    return rows


def warm_seconds(mesh: Mesh | None = None) -> float | None:
    """From the supervisor's start until all was ready; None while that is not so."""
    return read_state(mesh or Mesh.of()).warm_seconds


def supervisor_mb(mesh: Mesh | None = None) -> float:
    supervisor = read_state(mesh or Mesh.of()).supervisor
    return _resident_mb(supervisor.process() if supervisor else None)


def logs(name: str, follow: bool = False, mesh: Mesh | None = None, lines: int = 50) -> Iterator[str]:
    """The last lines of a process's log, then, with `follow`, those that come."""
    path = (mesh or Mesh.of()).log_file(name)
    if not path.exists():
        raise DevstackError(f"There is no log of {name}: {path} does not exist.")
    with path.open(errors="replace") as file:
        if follow:
            file.seek(0, os.SEEK_END)
        yield from tail(path, lines).splitlines()
        while follow:
            line = file.readline()
            if line:
                yield line.rstrip("\n")
            else:
                time.sleep(_LOOK_EVERY)


def _resident_mb(process: psutil.Process | None) -> float:
    try:
        return round(process.memory_info().rss / 2**20, 1) if process else 0.0
    except psutil.NoSuchProcess:
        return 0.0


def _spawn(mesh: Mesh) -> subprocess.Popen[bytes]:
    state_file(mesh).unlink(missing_ok=True)
    log = mesh.log_file("supervisor")
    log.parent.mkdir(parents=True, exist_ok=True)
    for old in log.parent.glob("*.log"):
        old.replace(old.with_suffix(".log.1"))
    spec = next(iter(TABLE))
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "tools.devstack.supervise"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(mesh, spec),
            cwd=ROOT,
            start_new_session=True,
        )


def _follow(
    mesh: Mesh, names: Sequence[str], progress: Callable[[str], None], child: subprocess.Popen[bytes] | None
) -> None:
    told: set[str] = set()
    while True:
        state = read_state(mesh)
        _tell_new(state, names, told, progress)
        if state.failure and not is_up(mesh):  # by then it has stopped all
            raise DevstackError(state.failure)
        if told.issuperset(names):
            return
        if child is not None and child.poll() is not None:
            # It may have written why just before it ended.
            raise DevstackError(
                read_state(mesh).failure or f"The supervisor ended:\n{tail(mesh.log_file('supervisor'))}"
            )
        if child is None and not is_up(mesh):
            raise DevstackError("The mesh was stopped meanwhile.")
        time.sleep(_LOOK_EVERY)


def _tell_new(state: StackState, names: Sequence[str], told: set[str], progress: Callable[[str], None]) -> None:
    for name in names:
        entry = state.processes.get(name)
        if name not in told and entry is not None and entry.state in _SETTLED:
            told.add(name)
            progress(f"{name:<16} {entry.state:<6} {entry.seconds_to_ready or 0:5.1f} s")


def _end_orphans(mesh: Mesh) -> bool:
    """Ends what a supervisor left that was itself killed. True when there was something."""
    state = read_state(mesh)
    found = [process for entry in state.processes.values() if entry.pid and (process := entry.pid.process())]
    for process in found:
        process.terminate()
    _, stubborn = psutil.wait_procs(found, timeout=10)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    if found:
        write_state(mesh, StackState(failure=state.failure))
    return bool(found)
