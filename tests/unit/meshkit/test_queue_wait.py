"""How long a backlog lasts, by the rate at which it drained while there was one."""

import math

import pytest

from meshkit.kafka.queue_estimate import Drain


def drain(*samples: tuple[int, int]) -> Drain:
    """(committed, end), a second apart."""
    made = Drain()
    for at, (committed, end) in enumerate(samples):
        made.add(float(at), committed, end)
    return made


def test_nothing_is_known_before_the_first_look() -> None:
    assert (drain().backlog(), drain().wait_seconds()) == (None, None)


def test_without_a_backlog_nobody_waits() -> None:
    assert (drain((5, 5)).backlog(), drain((5, 5)).wait_seconds()) == (0, 0.0)


def test_idle_seconds_before_a_burst_do_not_count() -> None:
    burst = drain((0, 0), (0, 0), (0, 0), (0, 500), (200, 500))
    assert burst.backlog() == 300
    assert burst.wait_seconds() == pytest.approx(1.5)


def test_a_burst_that_just_came_is_not_known_yet_and_one_that_never_drains_is_endless() -> None:
    assert drain((0, 0), (0, 0), (0, 0), (0, 0), (0, 500)).wait_seconds() is None
    assert drain(*[(0, 500)] * 6).wait_seconds() == math.inf


def test_a_group_that_reads_again_has_no_negative_backlog() -> None:
    assert drain((10, 8)).backlog() == 0
