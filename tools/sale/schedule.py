"""When each buyer comes: open loop, so that a slow answer delays nobody behind it."""

import random


def arrivals(buyers: int, rate: float, seed: int) -> list[float]:
    """Seconds from the start, ascending: a Poisson process of `rate` a second, the same for the same seed."""
    chance = random.Random(seed)
    at, times = 0.0, []
    for _ in range(buyers):
        at += chance.expovariate(rate)
        times.append(at)
    return times
