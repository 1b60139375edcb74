"""When a breaker opens, for how long, and what closes it again."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


SHOWN = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


@dataclass(frozen=True)
class Policy:
    """Seconds and shares. A call of `slow_seconds` is slow. `open_seconds` grows by `growth` with each opening that
    follows upon the last, to `open_most` at most, jitter included.

    `again_seconds`: until asked again where a probe was answered, but slowly, or met Envoy's breaker, whose time is
    over in part by then.
    `probes`: let through in all while half-open, unless given back; so many good ones close it. `at_once`: bulkhead.
    """

    slow_seconds: float
    failure_rate: float = 0.2
    slow_rate: float = 0.5
    minimum_calls: int = 20
    window_seconds: float = 2.0
    # Envoy's ejection of 2 s ends at the next of its half-second intervals: a shorter time would only meet that.
    open_seconds: float = 2.5
    open_most: float = 3.5
    growth: float = 1.2
    jitter: float = 0.1
    again_seconds: float = 1.0
    probes: int = 3
    at_once: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.probes <= 3 or self.open_most < self.open_seconds or self.at_once < self.probes:
            raise ValueError("a breaker has 1 to 3 probes, open_most ≥ open_seconds and at_once ≥ probes")

    def open_for(self, openings: int, chance: float) -> float:
        """Seconds of the opening after so many others; `chance`: 0 to 1."""
        grown = self.open_seconds * self.growth ** min(openings, 20)
        return min(self.open_most, grown * (1 + self.jitter * chance))
