"""The bucket on a clock of the test's own."""

from dataclasses import dataclass, field

import pytest

from order_worker.pacing import Pace


@dataclass
class Clock:
    now: float = 100.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


async def test_a_backlog_drains_at_the_rate_in_even_portions() -> None:
    clock = Clock()
    pace = Pace(2000, 500, clock=clock, wait=clock.wait)
    for _ in range(50):
        assert pace.portion() == 200
        await pace.spend(200)
    # The first portion was in the bucket.
    assert abs(clock.now - 100 - 49 * 0.1) < 1e-6
    assert max(clock.waits) <= 0.1 + 1e-9


async def test_slow_batches_are_caught_up() -> None:
    clock = Clock()
    pace = Pace(2000, 500, clock=clock, wait=clock.wait)
    done = 0
    for _ in range(50):
        taken = pace.portion()
        await pace.spend(taken)
        done += taken
        clock.now += 0.2
    assert done == pytest.approx((clock.now - 100) * 2000, rel=0.05)


async def test_an_idle_hour_is_no_burst() -> None:
    clock = Clock()
    pace = Pace(100, 500, clock=clock, wait=clock.wait)
    clock.now += 3600
    done = 0
    while sum(clock.waits) < 1.0:
        taken = pace.portion()
        await pace.spend(taken)
        done += taken
    assert done <= 100 + 25 + 10


async def test_rates_below_one_a_window_still_move() -> None:
    clock = Clock()
    pace = Pace(2, 500, clock=clock, wait=clock.wait)
    for _ in range(5):
        await pace.spend(pace.portion())
    assert abs(clock.now - 100 - 4 * 0.5) < 1e-6


async def test_zero_is_unlimited() -> None:
    clock = Clock()
    pace = Pace(0, 500, clock=clock, wait=clock.wait)
    await pace.spend(500)
    assert pace.portion() == 500
    assert clock.waits == []
