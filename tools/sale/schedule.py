"""When each buyer comes: open loop, so that a slow answer delays nobody behind it."""

import math
import random
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

# The doors open: from nobody to the peak.
RAMP_SECONDS = 2.0
# After the peak the crowd falls to a tail of so much of it, by e in each DECAY share of the time that is left. On
# average that is half of the peak: 10,000 buyers at 300 a second are through in 70 s, and a longer tail had `make sale`
# run for minutes.
TAIL, DECAY = 0.2, 0.4
_AFTER = TAIL + (1 - TAIL) * DECAY * (1 - math.exp(-1 / DECAY))
# 35 ms apart in a usual sale; between two of them the rate is taken to be constant.
_POINTS = 2_000


class Curve(StrEnum):
    SURGE = "surge"
    FLAT = "flat"


@dataclass(frozen=True)
class Surge:
    """A crowd of `buyers` that comes in within RAMP_SECONDS to `peak` taps a second, and then thins out to a tail."""

    buyers: int
    peak: float

    @property
    def ramp(self) -> float:
        """Shorter for a crowd that would be through before its peak."""
        return min(RAMP_SECONDS, self.buyers / self.peak)

    @property
    def seconds(self) -> float:
        """When the last buyer is expected."""
        return self.ramp + (self.buyers / self.peak - self.ramp / 2) / _AFTER

    def rate(self, at: float) -> float:
        """Taps a second expected at a time; the tail goes on past `seconds`."""
        if at < self.ramp:
            return self.peak * max(at, 0.0) / self.ramp
        since = min(at, self.seconds) - self.ramp
        return self.peak * (TAIL + (1 - TAIL) * math.exp(-since / self._fall))

    def came(self, at: float) -> float:
        """Buyers expected until then: the integral of `rate`; `buyers` at `seconds`."""
        if at < self.ramp:
            return self.peak * max(at, 0.0) ** 2 / (2 * self.ramp)
        since = min(at, self.seconds) - self.ramp
        fallen = (1 - TAIL) * self._fall * (1 - math.exp(-since / self._fall))
        late = max(at - self.seconds, 0.0) * self.rate(at)
        return self.peak * (self.ramp / 2 + TAIL * since + fallen) + late

    @property
    def _fall(self) -> float:
        return DECAY * (self.seconds - self.ramp)


def rate_for(curve: Curve, buyers: int, seconds: float) -> float:
    """The (peak) rate at which the crowd is through in so many seconds. Raises ValueError."""
    if seconds <= 0:
        raise ValueError("--duration is out of range")
    if curve is Curve.FLAT:
        return buyers / seconds
    ramp = min(RAMP_SECONDS, seconds / (1 + 1 / (2 * _AFTER)))
    return buyers / (ramp / 2 + (seconds - ramp) * _AFTER)


def arrivals(buyers: int, rate: float, seed: int, curve: Curve) -> list[float]:
    """Seconds from the start, ascending: a Poisson process, the same for the same seed.

    FLAT: of `rate` a second. SURGE: with `rate` as its peak, made from a process of rate 1 by rescaling its time.
    """
    chance = random.Random(seed)
    at, counts = 0.0, []
    for _ in range(buyers):
        at += chance.expovariate(1)
        counts.append(at)
    if curve is Curve.FLAT:
        return [count / rate for count in counts]
    return _rescaled(counts, Surge(buyers, rate))


def _rescaled(counts: list[float], surge: Surge) -> list[float]:
    """When the expected number of buyers reaches each count."""
    end = surge.seconds
    while surge.came(end) < counts[-1]:
        end += surge.seconds
    times = np.linspace(0.0, end, _POINTS)
    expected = [surge.came(at) for at in times.tolist()]
    found: list[float] = np.interp(counts, expected, times).tolist()
    return found
