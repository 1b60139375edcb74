"""Tiers, signals, and the policy that leads from one to the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Tier(IntEnum):
    """How hard the mesh is pressed, in rising order."""

    NORMAL = 0
    BUSY = 1
    PEAK = 2
    SURVIVAL = 3


class Signal(StrEnum):
    """What is measured. Each grows with load."""

    ACCEPT_RATE = "accept_rate"  # orders accepted a second
    CHECKOUT_P99_MS = "checkout_p99_ms"
    IN_FLIGHT = "in_flight"  # orders in progress in all checkout processes
    KAFKA_LAG = "kafka_lag"  # accepted orders that have no row yet
    DRAIN_ETA_SECONDS = "drain_eta_seconds"  # until those have one, at the present rate


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` None: unknown. `at_least`: a part of the sources was not read, so the truth may be higher."""

    value: float | None = None
    at_least: bool = False

    def reaches(self, threshold: float) -> bool:
        return self.value is not None and self.value >= threshold

    def is_below(self, threshold: float) -> bool:
        """Certainly: neither an unknown signal nor a part of one is proof of calm."""
        return self.value is not None and not self.at_least and self.value < threshold

    def __str__(self) -> str:
        if self.value is None:
            return "unknown"
        return ("at least " if self.at_least else "") + shown(self.value)


UNKNOWN = Reading()
Readings = Mapping[Signal, Reading]


@dataclass(frozen=True, slots=True)
class Rule:
    """Of one tier. Any signal at or over `enter` for `enter_seconds` leads to it; all below `exit` for `calm_seconds`
    lead out of it, downwards. Once it is reached, nothing changes for `hold_seconds`. `off`: features it switches off,
    in this order."""

    hold_seconds: float
    enter_seconds: float = 0
    calm_seconds: float = 0
    enter: Mapping[Signal, float] = field(default_factory=dict)
    exit: Mapping[Signal, float] = field(default_factory=dict)
    off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """`name`: of its file. `window_seconds`: over which rates and the p99 are taken. `jump`: rises at once to the
    highest tier whose threshold is reached; else one tier at a time. Falls one at a time in any case."""

    name: str
    window_seconds: float
    jump: bool
    rules: Mapping[Tier, Rule]

    def off_in(self, tier: Tier) -> tuple[str, ...]:
        """In the order in which they were switched off on the way up."""
        return tuple(name for each in Tier if each <= tier for name in self.rules[each].off)


def shown(value: float) -> str:
    """To one decimal place at most."""
    return f"{value:.1f}".removesuffix(".0")
