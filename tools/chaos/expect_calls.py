"""What a scenario may assert of its calls."""

import math
from collections import Counter
from typing import Literal

from pydantic import Field

from tools.chaos.exceedances import most_by_chance
from tools.chaos.timeline import Timeline, percentile
from tools.chaos.verdict import Expected, Verdict

ROW, MOST = 10, 7
SHARE, LEAST_CALLS = 0.99, 300


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
    """While the fault lasts, from `settled` seconds after its begin, against the same run's healthy seconds, those
    before the fault and those after it in one. Fewer than 300 calls on a side prove nothing: of them p99 is the fourth
    slowest, of 100 a single one, which met somebody else's work.

    The fourth slowest of 300 is itself a matter of chance: broken is what more calls are slower than than chance allows
    once in a hundred runs, with the p99 just as promised."""

    expect: Literal["p99"]
    times_healthy: float = Field(default=1.2, gt=0)
    settled: float = Field(default=0.0, ge=0)

    def judge(self, timeline: Timeline) -> Verdict:
        healthy, faulty = timeline.healthy(self.call), timeline.in_fault(self.call, self.settled)
        well, now = (percentile([each.ms for each in calls], SHARE) for calls in (healthy, faulty))
        expected = f"{self.call}: p99 at most {self.times_healthy:g} × healthy, {self.settled:g} s after the begin"
        counts = f"{len(healthy)} and {len(faulty)} calls"
        words = f"healthy {well:.1f} ms, in the fault {now:.1f} ms: × {now / well:.2f} ({counts})"
        if min(len(healthy), len(faulty)) < LEAST_CALLS:
            return Verdict(False, expected, f"{words}; {LEAST_CALLS} of each are needed")
        slower = sum(each.ms > self.times_healthy * well for each in faulty)
        rank = len(healthy) - math.ceil(SHARE * len(healthy)) + 1
        chance = most_by_chance(rank, len(healthy), len(faulty))
        return Verdict(slower <= chance, expected, f"{words}; {slower} slower than that, {chance} may be by chance")


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


class Settles(Expected):
    """Every accepted order is paid and booked that soon after the load."""

    expect: Literal["settles"]
    within: float = Field(default=60.0, gt=0)

    def judge(self, timeline: Timeline) -> Verdict:
        left = timeline.unsettled
        words = f"{left} left" if left else f"the last after {timeline.settled_after:.1f} s"
        return Verdict(left == 0, f"every order is paid within {self.within:g} s of the load's end", words)
