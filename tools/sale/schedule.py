"""When each buyer comes: open loop, so that a slow answer delays nobody behind it."""

import math
import random
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

# The doors open: from nobody to the peak.
RAMP_SECONDS = 2.0
# After the peak the crowd thins out by e in each DECAY share of the time that is left, down to a tail. On average that
# is LOW of the peak. Where that would take longer than there is time, the tail is higher, up to HIGH on average: above
# it would be no mountain.
DECAY, LOW, HIGH = 0.4, 0.5, 0.8
_FALLEN = DECAY * (1 - math.exp(-1 / DECAY))
# 35 ms apart in a usual sale; between two of them the rate is taken to be constant.
_POINTS = 2_000


class Curve(StrEnum):
    SURGE = "surge"
    FLAT = "flat"


@dataclass(frozen=True)
class Flat:
    """A crowd of `buyers` at one rate, `peak` taps a second, throughout."""

    buyers: int
    peak: float

    @property
    def seconds(self) -> float:
        return self.buyers / self.peak

    def came(self, at: float) -> float:
        return self.peak * at


@dataclass(frozen=True)
class Surge:
    """A crowd of `buyers` that comes in within RAMP_SECONDS to `peak` taps a second, and then thins out to a tail.

    `within`: the seconds there are for all of them, where a higher tail can make it so.
    """

    buyers: int
    peak: float
    within: float | None = None

    @property
    def ramp(self) -> float:
        """Shorter for a crowd that would be through before its peak."""
        return min(RAMP_SECONDS, self.buyers / self.peak)

    @property
    def seconds(self) -> float:
        """When the last buyer is expected."""
        return self.ramp + self._after / self._mean

    @property
    def tail(self) -> float:
        """What the crowd falls to, as a share of the peak."""
        return (self._mean - _FALLEN) / (1 - _FALLEN)

    def rate(self, at: float) -> float:
        """Taps a second expected at a time; the tail goes on past `seconds`."""
        if at < self.ramp:
            return self.peak * max(at, 0.0) / self.ramp
        since = min(at, self.seconds) - self.ramp
        return self.peak * (self.tail + (1 - self.tail) * math.exp(-since / self._fall))

    def came(self, at: float) -> float:
        """Buyers expected until then: the integral of `rate`; `buyers` at `seconds`."""
        if at < self.ramp:
            return self.peak * max(at, 0.0) ** 2 / (2 * self.ramp)
        since = min(at, self.seconds) - self.ramp
        fallen = (1 - self.tail) * self._fall * (1 - math.exp(-since / self._fall))
        late = max(at - self.seconds, 0.0) * self.rate(at)
        return self.peak * (self.ramp / 2 + self.tail * since + fallen) + late

    @property
    def _after(self) -> float:
        """Seconds that those who come after the ramp would take at the peak's rate."""
        return self.buyers / self.peak - self.ramp / 2

    @property
    def _mean(self) -> float:
        """Of the rate after the ramp, as a share of the peak."""
        if self.within is None:
            return LOW
        return min(max(self._after / max(self.within - self.ramp, 0.001), LOW), HIGH)

    @property
    def _fall(self) -> float:
        return DECAY * (self.seconds - self.ramp)


def rate_for(curve: Curve, buyers: int, seconds: float) -> float:
    """The (peak) rate at which the crowd is through in so many seconds. Raises ValueError."""
    if seconds <= 0:
        raise ValueError("--duration is out of range")
    if curve is Curve.FLAT:
        return buyers / seconds
    ramp = min(RAMP_SECONDS, seconds / (1 + 1 / (2 * LOW)))
    return buyers / (ramp / 2 + (seconds - ramp) * LOW)


def arrivals(crowd: Surge | Flat, seed: int) -> list[float]:
    """Seconds from the start, ascending: a Poisson process of the crowd's rate, the same for the same seed.

    A process of rate 1 whose time is rescaled: each buyer comes when the expected number reaches theirs.
    """
    chance = random.Random(seed)
    at, counts = 0.0, []
    for _ in range(crowd.buyers):
        at += chance.expovariate(1)
        counts.append(at)
    end = crowd.seconds
    while crowd.came(end) < counts[-1]:
        end += crowd.seconds
    times = np.linspace(0.0, end, _POINTS)
    found: list[float] = np.interp(counts, [crowd.came(at) for at in times.tolist()], times).tolist()
    return found
