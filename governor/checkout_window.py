"""What a few seconds of checkout's counters say: pure, samples in and readings out."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governor.tier import UNKNOWN, Reading, Readings, Signal

# Of fewer calls in a window the p99 is its one slowest, and so few are no load.
FEW_CALLS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """Of one process. `at`: seconds; `accepted` and `buckets` (calls no slower than so many seconds) only grow."""

    at: float
    accepted: float
    in_flight: float
    buckets: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process over its window."""

    accepted_a_second: float
    in_flight: float
    buckets: Mapping[float, float]


class CheckoutWindow:
    """The last `seconds` of one process."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._samples: deque[Sample] = deque()
        self._lost = False

    @property
    def lost(self) -> bool:
        """The last look failed."""
        return self._lost

    def add(self, sample: Sample | None) -> None:
        """None: it could not be read."""
        self._lost = sample is None
        if sample is None:
            return
        if self._samples and sample.accepted < self._samples[-1].accepted:
            self._samples.clear()  # it was started anew
        self._samples.append(sample)
        # The window's far end is the sample just outside of it: rates over less than it would jump about.
        while len(self._samples) > 2 and sample.at - self._samples[1].at >= self._seconds:
            self._samples.popleft()

    def growth(self) -> Growth | None:
        """None: unknown, since the last look failed or there was only one."""
        if self._lost or len(self._samples) < 2:
            return None
        first, last = self._samples[0], self._samples[-1]
        grown = {edge: count - first.buckets.get(edge, 0.0) for edge, count in last.buckets.items()}
        return Growth((last.accepted - first.accepted) / (last.at - first.at), last.in_flight, grown)


def readings_of(growths: Sequence[Growth | None]) -> Readings:
    """Over all processes; where one is unknown, what the others show is the least."""
    known = [growth for growth in growths if growth is not None]
    if not known:
        return dict.fromkeys((Signal.ACCEPT_RATE, Signal.CHECKOUT_P99_MS, Signal.IN_FLIGHT), UNKNOWN)
    part = len(known) < len(growths)
    edges = sorted({edge for growth in known for edge in growth.buckets})
    buckets = {edge: sum(growth.buckets.get(edge, 0.0) for growth in known) for edge in edges}
    return {
        Signal.ACCEPT_RATE: Reading(sum(growth.accepted_a_second for growth in known), part),
        Signal.CHECKOUT_P99_MS: Reading(quantile(buckets, 0.99) * 1000, part),
        Signal.IN_FLIGHT: Reading(sum(growth.in_flight for growth in known), part),
    }


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """Seconds, straight between two edges; the last finite edge where it lies beyond. `buckets`: cumulative, by edge.

    0 with fewer than FEW_CALLS.
    """
    calls = buckets.get(math.inf, 0.0)
    if calls < FEW_CALLS:
        return 0.0
    wanted, edge_before, count_before = share * calls, 0.0, 0.0
    for edge in sorted(buckets):
        count = buckets[edge]
        if count >= wanted:
            if math.isinf(edge):
                return edge_before
            inside = (wanted - count_before) / (count - count_before) if count > count_before else 1.0
            return edge_before + (edge - edge_before) * inside
        edge_before, count_before = edge, count
    return edge_before
