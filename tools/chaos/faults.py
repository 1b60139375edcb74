"""Faults as people say them, and as Envoy's runtime holds them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from grpc import StatusCode

from envoy.fault_targets import KNOBS, TARGETS, runtime_key
from tools.chaos.runtime import modify, overrides

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)\Z")
MOST_DELAY_MS = 60_000
STATUSES = {code.name: code.value[0] for code in StatusCode if code is not StatusCode.OK}


@dataclass(frozen=True)
class Fault:
    """Of `percent` of the calls: a delay, a status instead of an answer, or both. `abort`: a gRPC status by name.

    Raises ValueError that names what is wrong. OK is no abort: a Python stub would answer None.
    """

    target: str
    percent: int
    abort: str = ""
    delay_ms: int = 0

    def __post_init__(self) -> None:
        known_target(self.target)
        if not 1 <= self.percent <= 100:
            raise ValueError("--percent must be 1 to 100")
        if self.abort and self.abort not in STATUSES:
            raise ValueError(f"--abort must be one of {', '.join(STATUSES)}")
        if not 0 <= self.delay_ms <= MOST_DELAY_MS:
            raise ValueError("--delay must be at most 60s")
        if not self.abort and not self.delay_ms:
            raise ValueError("--abort or --delay is needed")

    @property
    def words(self) -> str:
        parts = [f"{self.delay_ms} ms" if self.delay_ms else "", self.abort]
        return " and ".join(part for part in parts if part) + f" on {self.percent} %"


def known_target(name: str) -> str:
    """Raises ValueError that lists the targets."""
    if name not in TARGETS:
        raise ValueError(f"{name!r} is no target; there are: {', '.join(TARGETS)}")
    return name


def milliseconds(words: str) -> int:
    """`400ms`, `1.5s`, `2m`, `1h`. Raises ValueError."""
    found = _DURATION.match(words)
    if not found:
        raise ValueError(f"{words!r} is no duration: 400ms, 1.5s, 2m, 1h")
    return round(float(found[1]) * _UNITS[found[2]])


def arm(admin_port: int, fault: Fault) -> None:
    """In place of what was armed for this target. Raises NoEnvoyError."""
    values: dict[str, int | None] = {
        "abort_percent": fault.percent if fault.abort else None,
        "grpc_status": STATUSES[fault.abort] if fault.abort else None,
        "delay_percent": fault.percent if fault.delay_ms else None,
        "delay_ms": fault.delay_ms or None,
    }
    modify(admin_port, {runtime_key(fault.target, knob): value for knob, value in values.items()})


def disarm(admin_port: int, targets: Iterable[str]) -> None:
    """Harmless where nothing is armed. Raises NoEnvoyError."""
    modify(admin_port, {runtime_key(target, knob): None for target in targets for knob in KNOBS})


def armed(admin_port: int) -> list[Fault]:
    """What Envoy holds now, whoever armed it. Raises NoEnvoyError."""
    held = overrides(admin_port, "chaos.")
    names = {number: name for name, number in STATUSES.items()}
    faults = []
    for target in TARGETS:
        values = dict(KNOBS) | {knob: held[key] for knob in KNOBS if (key := runtime_key(target, knob)) in held}
        percents = values["abort_percent"], values["delay_percent"]
        if max(percents) > 0:
            abort = names.get(values["grpc_status"], "UNKNOWN") if percents[0] else ""
            faults.append(Fault(target, max(percents), abort, values["delay_ms"] if percents[1] else 0))
    return faults
