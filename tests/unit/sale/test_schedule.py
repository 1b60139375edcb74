"""The crowd: its size, its peak, its tail, and the same one for the same seed."""

import random
from itertools import pairwise

import pytest

from tools.sale.schedule import RAMP_SECONDS, TAIL, Curve, Surge, arrivals, rate_for
from tools.sale.shape import Shape

USUAL = Surge(buyers=10_000, peak=300.0)


@pytest.mark.parametrize("curve", Curve)
def test_the_same_seed_brings_the_same_crowd(curve: Curve) -> None:
    assert arrivals(500, 100, 7, curve) == arrivals(500, 100, 7, curve)
    assert arrivals(500, 100, 7, curve) != arrivals(500, 100, 8, curve)


def test_a_flat_crowd_comes_at_its_rate_and_in_order() -> None:
    times = arrivals(20_000, 400, seed=1, curve=Curve.FLAT)
    assert times == sorted(times)
    assert 20_000 / times[-1] == pytest.approx(400, rel=0.05)


@pytest.mark.parametrize("surge", [USUAL, Surge(100, 1_000.0), Surge(1_000, 2_000.0), Surge(1_000_000, 500.0)], ids=str)
def test_a_surges_rate_adds_up_to_its_buyers(surge: Surge) -> None:
    steps = 20_000
    width = surge.seconds / steps
    area = sum(surge.rate((step + 0.5) * width) for step in range(steps)) * width
    assert area == pytest.approx(surge.buyers, rel=0.001)
    assert surge.came(surge.seconds) == pytest.approx(surge.buyers)
    assert surge.came(0.0) == 0.0


def test_a_surge_is_at_its_peak_when_its_ramp_ends_and_never_above() -> None:
    rates = [USUAL.rate(at / 100) for at in range(10_000)]
    assert max(rates) == USUAL.rate(RAMP_SECONDS) == USUAL.peak
    assert rates[:200] == sorted(rates[:200])
    assert rates[200:] == sorted(rates[200:], reverse=True)
    assert rates[-1] > TAIL * USUAL.peak


def test_a_surge_is_through_in_little_more_than_a_minute() -> None:
    """What `make sale` has; a flat crowd at two thirds of the rate takes 50 s."""
    assert 60 < USUAL.seconds < 75


def test_a_surges_buyers_come_where_its_rate_is() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    times = arrivals(USUAL.buyers, USUAL.peak, seed, Curve.SURGE)
    assert times == sorted(times)
    assert times[-1] == pytest.approx(USUAL.seconds, rel=0.1)
    # Without the last tenth, where a crowd of a fixed size is cut off.
    for first, last in pairwise(USUAL.seconds * part / 10 for part in range(10)):
        expected = USUAL.came(last) - USUAL.came(first)
        # Six standard deviations of a Poisson count: one run in 10^8.
        assert sum(first <= at < last for at in times) == pytest.approx(expected, abs=6 * expected**0.5)


@pytest.mark.parametrize(("buyers", "seconds"), [(10_000, 70.0), (300, 5.0), (300, 0.5)])
def test_a_duration_gives_the_peak_of_a_surge_that_takes_so_long(buyers: int, seconds: float) -> None:
    assert Surge(buyers, rate_for(Curve.SURGE, buyers, seconds)).seconds == pytest.approx(seconds)
    assert rate_for(Curve.FLAT, buyers, seconds) == buyers / seconds


@pytest.mark.parametrize(
    ("option", "changes"),
    [
        ("--units", {"units": 0}),
        ("--buyers", {"buyers": 0}),
        ("--rate", {"rate": -1.0}),
        ("--processes", {"processes": 17}),
        ("--drain-rate", {"drain_rate": 0.0}),
        ("--vouchers", {"vouchers": 1.1}),
    ],
)
def test_an_option_out_of_range_is_named(option: str, changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=option):
        Shape(**changes)  # type: ignore[arg-type]


def test_a_duration_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match="--duration"):
        rate_for(Curve.SURGE, 100, 0.0)
