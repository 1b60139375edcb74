"""One process of a running mesh, by name: what a chaos run or a test does to it."""

import signal
import time
from collections.abc import Callable, Mapping

import psutil

from tools.devstack.spec import DevstackError, Mesh
from tools.devstack.state import Entry, read_state, read_wanted, write_wanted

_LOOK_EVERY = 0.02


def kill_process(name: str, number: int = signal.SIGKILL, mesh: Mesh | None = None) -> int:
    """Sends a signal to the process itself and returns its pid. The supervisor starts it again if it dies of it."""
    process = _process(name, mesh or Mesh.of())
    process.send_signal(number)
    return process.pid


def pause_process(name: str, mesh: Mesh | None = None) -> None:
    """SIGSTOP: connections stay open and nothing answers."""
    kill_process(name, signal.SIGSTOP, mesh)


def resume_process(name: str, mesh: Mesh | None = None) -> None:
    kill_process(name, signal.SIGCONT, mesh)


def stop_process(name: str, mesh: Mesh | None = None, kill: bool = False, within: float = 30.0) -> None:
    """Stops it and keeps it stopped until `start_process`; `kill` with SIGKILL. Returns when it is gone."""
    place = mesh or Mesh.of()
    process = _process(name, place)
    wanted = read_wanted(place)
    wanted.held = sorted({*wanted.held, name})
    write_wanted(place, wanted)
    if kill:
        process.kill()
    _wait(name, place, lambda entry: entry.state == "held", within)


def drop_process(name: str, mesh: Mesh | None = None, within: float = 30.0) -> None:
    """Stops it for good: it is none of this mesh's processes any more, until `up` names it. Returns when it is gone."""
    place = mesh or Mesh.of()
    wanted = read_wanted(place)
    wanted.names = [other for other in wanted.names if other != name]
    write_wanted(place, wanted)
    _wait(name, place, lambda entry: entry.state == "held", within)


def start_process(name: str, mesh: Mesh | None = None, within: float = 40.0) -> None:
    """Lets a stopped process run again and returns when it is ready."""
    place = mesh or Mesh.of()
    wanted = read_wanted(place)
    wanted.held = [other for other in wanted.held if other != name]
    write_wanted(place, wanted)
    wait_ready(name, place, within)


def restart_process(
    name: str, env: Mapping[str, str] | None = None, mesh: Mesh | None = None, wait: bool = True, within: float = 40.0
) -> None:
    """A graceful restart. `env` is for the next start alone: a later restart after a crash does not get it."""
    place = mesh or Mesh.of()
    before = _entry(name, place)
    wanted = read_wanted(place)
    number = wanted.restarts.get(name, (0, {}))[0] + 1
    wanted.restarts[name] = (number, dict(env or {}))
    write_wanted(place, wanted)
    if wait:
        _wait(name, place, lambda entry: entry.state == "ready" and entry.pid != before.pid, within)


def wait_ready(name: str, mesh: Mesh | None = None, within: float = 40.0, not_pid: int | None = None) -> None:
    """Until its probe has passed; `not_pid`, from `kill_process`: it must be another process by then."""

    def reached(entry: Entry) -> bool:
        return entry.state == "ready" and entry.pid is not None and entry.pid.number != not_pid

    _wait(name, mesh or Mesh.of(), reached, within)


def _wait(name: str, mesh: Mesh, reached: Callable[[Entry], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not reached(_entry(name, mesh)):
        if time.monotonic() > deadline:
            raise DevstackError(f"{name} is still {_entry(name, mesh).state} after {within:.0f} s.")
        time.sleep(_LOOK_EVERY)


def _entry(name: str, mesh: Mesh) -> Entry:
    state = read_state(mesh)
    if state.failure:
        raise DevstackError(state.failure)
    if name not in state.processes:
        raise DevstackError(f"{name} was not started in this mesh: `peakmesh up --only {name}`.")
    return state.processes[name]


def _process(name: str, mesh: Mesh) -> psutil.Process:
    pid = _entry(name, mesh).pid
    process = pid.process() if pid else None
    if process is None:
        raise DevstackError(f"{name} is not running.")
    return process
