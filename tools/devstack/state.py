"""What the supervisor tells and is told: two JSON files in the run folder, each with one writer."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tools.devstack.spec import Mesh


@dataclass(frozen=True)
class Pid:
    """A process, and not another one that got its number later."""

    number: int
    created: float

    @classmethod
    def of(cls, number: int) -> "Pid | None":
        try:
            return cls(number, psutil.Process(number).create_time())
        except psutil.NoSuchProcess:
            return None

    def process(self) -> psutil.Process | None:
        """None once it is gone (a zombie is gone)."""
        try:
            found = psutil.Process(self.number)
            gone = abs(found.create_time() - self.created) > 0.05 or found.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return None if gone else found


@dataclass
class Entry:
    """state: waiting | starting | ready | done | backing off | held | failed | stopped."""

    state: str = "waiting"
    pid: Pid | None = None
    restarts: int = 0
    seconds_to_ready: float | None = None


@dataclass
class StackState:
    """Written by the supervisor alone. `warm_seconds`: from its start until all that was asked for was ready."""

    supervisor: Pid | None = None
    warm_seconds: float | None = None
    failure: str | None = None
    processes: dict[str, Entry] = field(default_factory=dict)


@dataclass
class Wanted:
    """Written by those who command the supervisor.

    What is not in `names` any more is stopped; `held` stay stopped. `env` is laid over a process's environment at each
    start. A new number in `restarts` asks for one restart, whose first start alone gets the environment beside it: a
    crash point must not meet the start after.
    """

    names: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    env: dict[str, dict[str, str]] = field(default_factory=dict)
    restarts: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)


def state_file(mesh: Mesh) -> Path:
    return mesh.run_dir / "devstack" / "state.json"


def wanted_file(mesh: Mesh) -> Path:
    return mesh.run_dir / "devstack" / "wanted.json"


def read_state(mesh: Mesh) -> StackState:
    """An empty one when there is none."""
    raw = _read(state_file(mesh))
    entries = {name: Entry(**(entry | {"pid": _pid(entry["pid"])})) for name, entry in raw.get("processes", {}).items()}
    return StackState(_pid(raw.get("supervisor")), raw.get("warm_seconds"), raw.get("failure"), entries)


def read_wanted(mesh: Mesh) -> Wanted:
    raw = _read(wanted_file(mesh))
    restarts = {name: (int(number), dict(env)) for name, (number, env) in raw.get("restarts", {}).items()}
    return Wanted(raw.get("names", []), raw.get("held", []), raw.get("env", {}), restarts)


def write_state(mesh: Mesh, state: StackState) -> None:
    _write(state_file(mesh), asdict(state))


def write_wanted(mesh: Mesh, wanted: Wanted) -> None:
    _write(wanted_file(mesh), asdict(wanted))


def _pid(raw: Mapping[str, Any] | None) -> Pid | None:
    return Pid(raw["number"], raw["created"]) if raw else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """By rename: a reader sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(content, indent=1))
    draft.replace(path)
