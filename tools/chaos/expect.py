"""What a scenario may assert, each judged from the timeline with the number that decided it."""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.chaos.timeline import Reading, Timeline, percentile
from tools.chaos.watch import BREAKER_CALLS, BREAKER_TRANSITIONS, BREAKERS, EJECTIONS, ENVOY

ROW, MOST = 10, 7


@dataclass(frozen=True)
class Verdict:
    """One line of the answer."""

    held: bool
    expected: str
    measured: str


class Expected(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    call: str = ""


class Succeeds(Expected):
    """Of all calls of the run, from the first to the last."""

    expect: Literal["succeeds"]
    share: float = Field(default=1.0, gt=0, le=1)

    def judge(self, timeline: Timeline) -> Verdict:
        calls = timeline.between(self.call, 0, math.inf)
        failed = Counter(each.outcome for each in calls if not each.ok)
        good = len(calls) - failed.total()
        words = f"{good} of {len(calls)}" + "".join(f", {count} {outcome}" for outcome, count in failed.items())
        return Verdict(bool(calls) and good >= self.share * len(calls), f"{self.call}: {self.share:.0%} succeed", words)


class P99(Expected):
    """While the fault lasts, from `settled` seconds after its begin, against the same run's healthy seconds. `control`:
    a call that has nothing to do with what fails. Where that too is slower in the fault, the machine is, and the
    control's own p99 of those seconds is what counts: of 100 calls, p99 is the one that met somebody else's work."""

    expect: Literal["p99"]
    control: str = ""
    times_healthy: float = Field(default=1.2, gt=0)
    settled: float = Field(default=1.0, ge=0)

    def judge(self, timeline: Timeline) -> Verdict:
        healthy, faulty = timeline.healthy(self.call), timeline.in_fault(self.call, self.settled)
        before, now = (percentile([each.ms for each in calls], 0.99) for calls in (healthy, faulty))
        expected = f"{self.call}: p99 at most {self.times_healthy:g} × healthy, {self.settled:g} s after the begin"
        control = percentile([each.ms for each in timeline.in_fault(self.control, self.settled)], 0.99)
        counts = f"{len(healthy)} and {len(faulty)} calls" + (
            f"; {self.control} meanwhile {control:.1f} ms" * (control > 0)
        )
        words = f"healthy {before:.1f} ms, in the fault {now:.1f} ms: × {now / before:.2f} ({counts})"
        limit = self.times_healthy * (max(before, control) if control > 0 else before)
        return Verdict(now <= limit, expected, words)


class Answers(Expected):
    """While the fault lasts, this share of the successful answers has this outcome."""

    expect: Literal["answers"]
    outcome: str
    share: float = Field(default=1.0, gt=0, le=1)
    settled: float = Field(default=1.0, ge=0)

    def judge(self, timeline: Timeline) -> Verdict:
        outcomes = Counter(each.outcome for each in timeline.in_fault(self.call, self.settled) if each.ok)
        words = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()) or "no answers"
        held = outcomes.total() > 0 and outcomes[self.outcome] >= self.share * outcomes.total()
        expected = f"{self.call}: {self.share:.0%} answered {self.outcome}, {self.settled:g} s after the begin"
        return Verdict(held, expected, words)


class Sheds(Expected):
    """While the fault lasts, at least this share is refused with this reason, and the others are served."""

    expect: Literal["sheds"]
    reason: str = "OVERLOADED"
    at_least: float = Field(gt=0, le=1)

    def judge(self, timeline: Timeline) -> Verdict:
        calls = timeline.in_fault(self.call, 0)
        refused = sum(each.outcome == self.reason for each in calls)
        others = Counter(each.outcome for each in calls if not each.ok and each.outcome != self.reason)
        words = f"{refused} of {len(calls)} {self.reason}" + "".join(f", {n} {word}" for word, n in others.items())
        held = bool(calls) and refused >= self.at_least * len(calls) and not others
        return Verdict(held, f"{self.call}: {self.at_least:.0%} refused as {self.reason}, the rest served", words)


class Back(Expected):
    """After the end of the fault the outcome comes again within the time, and is most of ten answers from there."""

    expect: Literal["back"]
    outcome: str
    within: float = Field(default=5.0, gt=0)

    def judge(self, timeline: Timeline) -> Verdict:
        after = sorted(timeline.between(self.call, timeline.fault_over, timeline.ended), key=lambda each: each.at)
        good = [each.outcome == self.outcome for each in after]
        starts = range(len(after) - ROW + 1)
        steady = (after[start].at for start in starts if good[start] and sum(good[start : start + ROW]) >= MOST)
        seconds = next(steady, math.inf) - timeline.fault_over
        expected = f"{self.call}: {self.outcome} again {self.within:g} s after the fault's end"
        return Verdict(seconds <= self.within, expected, f"after {seconds:.2f} s")


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


class Ejects(Expected):
    """Envoy's own breaker on that target."""

    expect: Literal["ejects"]
    target: str
    within: float = Field(default=2.0, gt=0)

    def judge(self, timeline: Timeline) -> Verdict:
        first = timeline.before_fault(ENVOY)
        base = first.total(EJECTIONS, envoy_cluster_name=self.target) if first else 0
        later = [
            (each.at, each.total(EJECTIONS, envoy_cluster_name=self.target)) for each in timeline.since_fault(ENVOY)
        ]
        counts = [(at, count - base) for at, count in later]
        after = min((at for at, count in counts if count > 0), default=math.inf) - timeline.fault_began
        times = counts[-1][1] if counts else 0
        expected = f"Envoy ejects {self.target} within {self.within:g} s"
        return Verdict(after <= self.within, expected, f"after {after:.2f} s, {times:g} times in all")


class Settles(Expected):
    """Every accepted order is paid and booked that soon after the load."""

    expect: Literal["settles"]
    within: float = Field(default=60.0, gt=0)

    def judge(self, timeline: Timeline) -> Verdict:
        left = timeline.unsettled
        words = f"{left} left" if left else f"the last after {timeline.settled_after:.1f} s"
        return Verdict(left == 0, f"every order is paid within {self.within:g} s of the load's end", words)


Expectation = Annotated[
    Succeeds | P99 | Answers | Sheds | Back | BreakerOpens | Probes | Ejects | Settles, Field(discriminator="expect")
]
