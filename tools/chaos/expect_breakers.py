"""What a scenario may assert of the breakers, ours and Envoy's."""

import math
from itertools import pairwise
from typing import Literal

from pydantic import Field

from tools.chaos.timeline import Reading, Timeline
from tools.chaos.verdict import Expected, Verdict
from tools.chaos.watch import BREAKER_CALLS, BREAKER_TRANSITIONS, BREAKERS, EJECTIONS, ENVOY


class BreakerOpens(Expected):
    """In each of its processes; with `cause`, in one of them at least and for that cause, at any time."""

    expect: Literal["breaker_opens"]
    breaker: str
    within: float = Field(default=1.0, gt=0)
    cause: str = ""

    def judge(self, timeline: Timeline) -> Verdict:
        opened = {process: self._opened(timeline, process) for process in BREAKERS[self.breaker]}
        words = ", ".join(f"{process} after {after:.2f} s" for process, after in opened.items())
        causes = {cause for process in opened for cause in self._causes(timeline, process)}
        held = max(opened.values()) <= self.within and (not self.cause or self.cause in causes)
        by = f" by its {self.cause}" if self.cause else ""
        expected = f"breaker of {self.breaker} opens within {self.within:g} s{by}"
        return Verdict(held, expected, f"{words}; {', '.join(sorted(causes)) or 'never'}")

    def _count(self, reading: Reading | None, **labels: str) -> float:
        return reading.total(BREAKER_TRANSITIONS, breaker=self.breaker, to="open", **labels) if reading else 0

    def _opened(self, timeline: Timeline, process: str) -> float:
        base = self._count(timeline.before_fault(process))
        times = [each.at for each in timeline.since_fault(process) if self._count(each) > base]
        return min(times, default=math.inf) - timeline.fault_began

    def _causes(self, timeline: Timeline, process: str) -> set[str]:
        first, last = timeline.before_fault(process), timeline.since_fault(process)[-1:]
        told = {dict(labels).get("cause", "") for each in last for name, labels in each.values if "transitions" in name}
        return {cause for cause in told if self._count(last[0], cause=cause) > self._count(first, cause=cause)}


class Probes(Expected):
    """Let through each time that a process's breaker is half open."""

    expect: Literal["probes"]
    breaker: str
    at_most: int = Field(default=3, ge=1)

    def judge(self, timeline: Timeline) -> Verdict:
        windows = [count for process in BREAKERS[self.breaker] for count in self._windows(timeline, process)]
        most = max(windows, default=0)
        words = f"{most:g} at most, in {len(windows)} half-open times of {len(BREAKERS[self.breaker])} processes"
        return Verdict(
            0 < most <= self.at_most, f"probes of {self.breaker}: at most {self.at_most} a time and process", words
        )

    def _windows(self, timeline: Timeline, process: str) -> list[float]:
        """Probes by the half-open time in which they were made."""
        probes: dict[float, float] = {}
        for each in timeline.readings.get(process, ()):
            time = each.total(BREAKER_TRANSITIONS, breaker=self.breaker, to="half_open")
            probes[time] = each.total(BREAKER_CALLS, breaker=self.breaker, outcome="probe")
        return [later - earlier for earlier, later in pairwise(probes.values())]


def _ejections(timeline: Timeline, target: str) -> list[tuple[float, float]]:
    """When read, and how often since the fault."""
    first = timeline.before_fault(ENVOY)
    base = first.total(EJECTIONS, envoy_cluster_name=target) if first else 0
    later = timeline.since_fault(ENVOY)
    return [(each.at, each.total(EJECTIONS, envoy_cluster_name=target) - base) for each in later]


class Ejects(Expected):
    """Envoy's own breaker on that target, so soon after the target's own fault, or the first where it has none."""

    expect: Literal["ejects"]
    target: str
    within: float = Field(default=2.0, gt=0)

    def judge(self, timeline: Timeline) -> Verdict:
        counts = _ejections(timeline, self.target)
        began = min((each.begun for each in timeline.done if each.target == self.target), default=timeline.fault_began)
        after = min((at for at, count in counts if count > 0), default=math.inf) - began
        times = counts[-1][1] if counts else 0
        expected = f"Envoy ejects {self.target} within {self.within:g} s"
        return Verdict(after <= self.within, expected, f"after {after:.2f} s, {times:g} times in all")


class NeverEjects(Expected):
    """Envoy's own breaker stays closed while the fault lasts: what opened was ours."""

    expect: Literal["never_ejects"]
    target: str

    def judge(self, timeline: Timeline) -> Verdict:
        counts = [(at, count) for at, count in _ejections(timeline, self.target) if at <= timeline.fault_over]
        words = f"{counts[-1][1]:g} times" if counts else "never read"
        return Verdict(bool(counts) and counts[-1][1] == 0, f"Envoy never ejects {self.target}", words)
