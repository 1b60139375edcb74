"""Where the leader stands, as it writes it each second, and what it journals."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from governor.tier import UNKNOWN, Policy, Reading, Readings, Signal, Tier
from governor.tier_machine import Decision


@dataclass(frozen=True, slots=True)
class SignalNow:
    """`enter`: where the next tier begins; `leave`: below which this one may end; None where it does not matter."""

    signal: Signal
    reading: Reading
    enter: float | None
    leave: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """`changed_ms`: Unix ms when the tier was reached, 0: it never changed; `at_ms`: of this look. `hold_left`:
    seconds."""

    tier: Tier
    changed_ms: int
    at_ms: int
    leader: str
    term: int
    policy: str
    why: str
    hold_left: float
    signals: tuple[SignalNow, ...]
    off: tuple[str, ...]

    def encode(self) -> str:
        return json.dumps(asdict(self) | {"tier": self.tier.name})

    @classmethod
    def decode(cls, text: bytes) -> "Standing":
        """Raises ValueError. What a later version wrote more is passed over."""
        try:
            given: dict[str, Any] = json.loads(text)
            known = {name: given[name] for name in cls.__dataclass_fields__}
            known |= {
                "tier": Tier[given["tier"]],
                "signals": tuple(_signal(each) for each in given["signals"] if each["signal"] in set(Signal)),
                "off": tuple(given["off"]),
            }
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a tier's standing: {text[:200]!r}") from error


@dataclass(frozen=True, slots=True)
class TierChange:
    """One entry of the journal."""

    at_ms: int
    before: Tier
    tier: Tier
    signal: str
    value: float
    threshold: float
    why: str
    leader: str
    term: int

    @classmethod
    def of(cls, decision: Decision, standing: Standing) -> "TierChange":
        cause = decision.cause
        told = (cause.signal.value, cause.value, cause.threshold) if cause else ("", 0.0, 0.0)
        place = (standing.leader, standing.term)
        return cls(standing.at_ms, decision.before, decision.tier, *told, decision.why, *place)

    def fields(self) -> dict[str, Any]:
        return asdict(self) | {"before": self.before.name, "tier": self.tier.name}

    @classmethod
    def from_fields(cls, told: Mapping[bytes, bytes]) -> "TierChange":
        text = {name.decode(): value.decode() for name, value in told.items()}
        return cls(
            int(text["at_ms"]),
            Tier[text["before"]],
            Tier[text["tier"]],
            text["signal"],
            float(text["value"]),
            float(text["threshold"]),
            text["why"],
            text["leader"],
            int(text["term"]),
        )


def signals_now(policy: Policy, tier: Tier, readings: Readings) -> tuple[SignalNow, ...]:
    enter = policy.rules[Tier(tier + 1)].enter if tier < Tier.SURVIVAL else {}
    leave = policy.rules[tier].exit
    return tuple(
        SignalNow(signal, readings.get(signal, UNKNOWN), enter.get(signal), leave.get(signal)) for signal in Signal
    )


def _signal(told: Mapping[str, Any]) -> SignalNow:
    return SignalNow(Signal(told["signal"]), Reading(**told["reading"]), told["enter"], told["leave"])
