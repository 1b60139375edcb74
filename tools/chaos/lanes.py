"""States over time, as the metrics pages told them: breakers, the tier, features. What nobody told is a gap."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tools.chaos.timeline import Reading, Timeline
from tools.chaos.watch import BREAKER_STATE, BREAKERS, EJECTED, ENVOY, GOVERNORS, KNOWS_FEATURES, TIER, TOGGLES

# Ten readings a second are taken: half a second without one, and its source did not answer.
SILENT_SECONDS = 0.5
BREAKER: Mapping[float, str] = {0: "closed", 1: "half open", 2: "open"}
EJECTION: Mapping[float, str] = {0: "closed", 1: "open"}
FEATURE: Mapping[float, str] = {1: "on", 0: "off"}
TIERS: Mapping[float, str] = {0: "NORMAL", 1: "BUSY", 2: "PEAK", 3: "SURVIVAL"}


@dataclass(frozen=True)
class Span:
    start: float
    end: float
    state: str


@dataclass(frozen=True)
class Lane:
    name: str
    spans: list[Span]

    @property
    def words(self) -> str:
        """Each state with the second at which it came."""
        return " → ".join(f"{span.state} {span.start:.1f} s" for span in self.spans) or "not told"


def lanes(timeline: Timeline) -> dict[str, list[Lane]]:
    """By what they are of, in the order in which they are shown."""
    return {"Breakers": _breakers(timeline), "Tier": _tier(timeline), "Features": _features(timeline)}


def _breakers(timeline: Timeline) -> list[Lane]:
    """Each process's, and Envoy's of each target that it ejected."""
    found = [
        _lane(timeline, f"{breaker} in {process}", process, BREAKER, BREAKER_STATE, breaker=breaker)
        for breaker, processes in BREAKERS.items()
        for process in processes
    ]
    for target in _label_values(timeline, ENVOY, EJECTED, "envoy_cluster_name"):
        lane = _lane(timeline, f"{target} in Envoy", ENVOY, EJECTION, EJECTED, envoy_cluster_name=target)
        if any(span.state == "open" for span in lane.spans):
            found.append(lane)
    return found


def _tier(timeline: Timeline) -> list[Lane]:
    told = [name for name in GOVERNORS if timeline.readings.get(name)]
    return [_lane(timeline, f"as {name} tells it", name, TIERS, TIER) for name in told or GOVERNORS[:1]]


def _features(timeline: Timeline) -> list[Lane]:
    names = _label_values(timeline, KNOWS_FEATURES, TOGGLES, "feature")
    return [_lane(timeline, name, KNOWS_FEATURES, FEATURE, TOGGLES, feature=name) for name in names]


def _lane(timeline: Timeline, name: str, source: str, states: Mapping[float, str], metric: str, **labels: str) -> Lane:
    held = [each for each in timeline.readings.get(source, []) if each.has(metric)]
    return Lane(name, _spans(held, lambda each: states[each.total(metric, **labels)], timeline.ended))


def _spans(held: list[Reading], state: Callable[[Reading], str], ended: float) -> list[Span]:
    spans: list[Span] = []
    for each, following in pairwise([*held, Reading(ended, {})]):
        told, end = state(each), min(following.at, each.at + SILENT_SECONDS)
        if spans and spans[-1].state == told and each.at <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, end, told)
        elif end > each.at:
            spans.append(Span(each.at, end, told))
    return spans


def _label_values(timeline: Timeline, source: str, metric: str, label: str) -> list[str]:
    held = timeline.readings.get(source, [])
    return sorted({value for each in held for value in each.labelled(metric, label)})
