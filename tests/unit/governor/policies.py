"""Policies for tests."""

from governor.tier import Policy, Reading, Signal
from governor.tier_policy import parse_policy

FEATURES = ("purchase-history", "seller-analytics", "recommendations", "avatar-updates")
TEXT = """\
window_seconds: 5
rise: step
tiers:
  NORMAL:
    hold_seconds: 4
  BUSY:
    hold_seconds: 6
    enter_seconds: 0
    calm_seconds: 2
    enter: {accept_rate: 100, kafka_lag: 1000}
    exit: {accept_rate: 60, kafka_lag: 300}
    off: [purchase-history]
  PEAK:
    hold_seconds: 5
    enter_seconds: 2
    calm_seconds: 2
    enter: {accept_rate: 200, in_flight: 50}
    exit: {accept_rate: 150, in_flight: 20}
    off: [seller-analytics, recommendations]
  SURVIVAL:
    hold_seconds: 3
    enter_seconds: 0
    calm_seconds: 0
    enter: {accept_rate: 300, kafka_lag: 9000}
    exit: {accept_rate: 250, kafka_lag: 5000}
    off: [avatar-updates]
"""


def policy(text: str = TEXT) -> Policy:
    return parse_policy(text, "p.yaml", FEATURES)


CALM = dict.fromkeys(Signal, Reading(0.0))


def pressed(**values: float | None) -> dict[Signal, Reading]:
    """Calm but for these; None: unknown."""
    return CALM | {Signal(name): Reading(value) for name, value in values.items()}
