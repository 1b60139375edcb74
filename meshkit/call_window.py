"""How the calls of the last seconds went: a sliding window of counts."""

from collections import deque
from dataclasses import dataclass

SLICES = 10


@dataclass(slots=True)
class Counts:
    calls: int = 0
    failed: int = 0
    slow: int = 0


class CallWindow:
    """Forgets by slices of a tenth, so a call costs a few additions however many are remembered."""

    def __init__(self, seconds: float) -> None:
        self._slice_seconds = seconds / SLICES
        self._slices: deque[tuple[int, Counts]] = deque()
        self._sum = Counts()

    def add(self, now: float, *, failed: bool, slow: bool) -> Counts:
        """Counts one call; the sum of the window is answered. `now`: monotonic seconds."""
        number = int(now / self._slice_seconds)
        self._forget(number - SLICES)
        if not self._slices or self._slices[-1][0] != number:
            self._slices.append((number, Counts()))
        for counts in (self._slices[-1][1], self._sum):
            counts.calls += 1
            counts.failed += failed
            counts.slow += slow
        return self._sum

    def clear(self) -> None:
        self._slices.clear()
        self._sum = Counts()

    def _forget(self, last: int) -> None:
        while self._slices and self._slices[0][0] <= last:
            _, old = self._slices.popleft()
            self._sum.calls -= old.calls
            self._sum.failed -= old.failed
            self._sum.slow -= old.slow
