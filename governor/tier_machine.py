"""The state machine of the tiers: (now, readings) in, decisions out. Pure: it reads no clock and changes nothing.

No flapping: a tier is left downwards below lower thresholds than it was entered at, after some calm, and no tier is
left at all before its hold time is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from governor.tier import UNKNOWN, Policy, Readings, Signal, Tier, shown


class Move(StrEnum):
    STAY = "stay"
    HELD = "held"  # would move, and must not yet
    RISE = "rise"
    FALL = "fall"


@dataclass(frozen=True, slots=True)
class Cause:
    """The signal that decided: of several the one furthest over its threshold, or the one nearest to it below."""

    signal: Signal
    value: float
    threshold: float

    def __str__(self) -> str:
        sign = "≥" if self.value >= self.threshold else "<"
        return f"{self.signal} {shown(self.value)} {sign} {shown(self.threshold)}"


@dataclass(frozen=True, slots=True)
class Decision:
    """`tier`: from now on; `before`: until now. `cause` None where nothing moves. `hold_left`: seconds."""

    move: Move
    before: Tier
    tier: Tier
    why: str
    cause: Cause | None = None
    hold_left: float = 0.0


class TierMachine:
    """`changed_at`: when `tier` was reached, by the clock of `step`; None: long ago."""

    def __init__(self, policy: Policy, tier: Tier = Tier.NORMAL, changed_at: float | None = None) -> None:
        self._policy, self._tier = policy, tier
        self._changed_at = float("-inf") if changed_at is None else changed_at
        self._reached_at: dict[Tier, float] = {}
        self._calm_at: dict[Tier, float] = {}

    @property
    def tier(self) -> Tier:
        return self._tier

    def step(self, now: float, readings: Readings) -> Decision:
        """`now`: seconds on a clock that only goes forward."""
        self._note(now, readings)
        target, cause = self._target(now, readings)
        if cause is None:
            return Decision(Move.STAY, self._tier, self._tier, self._why_stay(now, readings), None, self._left(now))
        left = self._left(now)
        if left > 0:
            why = f"{self._tier.name} is held for {left:.1f} s more, then {target.name}: {cause}"
            return Decision(Move.HELD, self._tier, self._tier, why, cause, left)
        before, self._tier, self._changed_at = self._tier, target, now
        move = Move.RISE if target > before else Move.FALL
        return Decision(move, before, target, f"{before.name} → {target.name}: {cause}", cause, self._left(now))

    def _left(self, now: float) -> float:
        return max(0.0, self._policy.rules[self._tier].hold_seconds - (now - self._changed_at))

    def _note(self, now: float, readings: Readings) -> None:
        """Since when each tier's thresholds have been reached, or have all been calm, without a break."""
        for tier, rule in self._policy.rules.items():
            if tier is Tier.NORMAL:
                continue
            reached = any(readings.get(signal, UNKNOWN).reaches(value) for signal, value in rule.enter.items())
            calm = all(readings.get(signal, UNKNOWN).is_below(value) for signal, value in rule.exit.items())
            for since, holds in ((self._reached_at, reached), (self._calm_at, calm)):
                if holds:
                    since.setdefault(tier, now)
                else:
                    since.pop(tier, None)

    def _target(self, now: float, readings: Readings) -> tuple[Tier, Cause | None]:
        rules = self._policy.rules
        above = [
            tier
            for tier in Tier
            if tier > self._tier and now - self._reached_at.get(tier, now + 1) >= rules[tier].enter_seconds
        ]
        if above:
            target = above[-1] if self._policy.jump else Tier(self._tier + 1)
            return target, _furthest(rules[target if target in above else above[-1]].enter, readings)
        calm_since = self._calm_at.get(self._tier)
        # A higher tier that is about to be reached, by a signal that this one does not look at, is no calm.
        if any(tier > self._tier for tier in self._reached_at):
            return self._tier, None
        if calm_since is not None and now - calm_since >= rules[self._tier].calm_seconds:
            return Tier(self._tier - 1), _furthest(rules[self._tier].exit, readings)
        return self._tier, None

    def _why_stay(self, now: float, readings: Readings) -> str:
        for tier, since in self._reached_at.items():
            if tier > self._tier:
                rule = self._policy.rules[tier]
                left = rule.enter_seconds - (now - since)
                return f"{tier.name} in {left:.1f} s, unless {_furthest(rule.enter, readings)} ends"
        if self._tier is Tier.NORMAL:
            return "every signal that is known is below its threshold"
        rule = self._policy.rules[self._tier]
        if self._tier in self._calm_at:
            left = rule.calm_seconds - (now - self._calm_at[self._tier])
            return f"calm; {Tier(self._tier - 1).name} after {left:.1f} s more of it"
        reading = {signal: readings.get(signal, UNKNOWN) for signal in rule.exit}
        uncalm = [
            f"{signal} {reading[signal]}, not below {shown(value)}"
            for signal, value in rule.exit.items()
            if not reading[signal].is_below(value)
        ]
        return f"stays {self._tier.name}: {'; '.join(uncalm)}"


def _furthest(thresholds: Mapping[Signal, float], readings: Readings) -> Cause | None:
    """By the share of the threshold that is reached."""
    known = [
        Cause(signal, value, threshold)
        for signal, threshold in thresholds.items()
        if (value := readings.get(signal, UNKNOWN).value) is not None
    ]
    return max(known, key=lambda cause: cause.value / cause.threshold, default=None)
