"""The crowd: its size, its peak, its tail, and the same one for the same seed."""

from itertools import pairwise

import pytest

from tools.sale.schedule import HIGH, RAMP_SECONDS, Curve, Flat, Surge, arrivals, rate_for
from tools.sale.shape import Shape

USUAL = Surge(buyers=10_000, peak=300.0)


@pytest.mark.parametrize("crowd", [Flat(500, 100.0), Surge(500, 100.0)], ids=str)
def test_the_same_seed_brings_the_same_crowd(crowd: Flat | Surge) -> None:
    assert arrivals(crowd, 7) == arrivals(crowd, 7)
    assert arrivals(crowd, 7) != arrivals(crowd, 8)


def test_a_flat_crowd_comes_at_its_rate_and_in_order() -> None:
    times = arrivals(Flat(20_000, 400.0), seed=1)
    assert times == sorted(times)
    assert 20_000 / times[-1] == pytest.approx(400, rel=0.05)


@pytest.mark.parametrize(
    "surge",
    [
        USUAL,
        Surge(10_000, 300.0, within=55.0),
        Surge(100, 1_000.0),
        Surge(1_000, 2_000.0, 0.1),
        Surge(1_000_000, 500.0),
    ],
    ids=str,
)
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
    assert rates[-1] > USUAL.tail * USUAL.peak


def test_where_time_is_short_the_tail_is_higher_and_the_peak_the_same() -> None:
    assert USUAL.seconds == pytest.approx(66.7, abs=0.1)
    short = Surge(10_000, 300.0, within=55.0)
    assert short.seconds == pytest.approx(55.0)
    assert short.rate(RAMP_SECONDS) == 300.0
    assert USUAL.tail < short.tail < 0.5
    slow = Surge(10_000, 150.0, within=55.0)
    assert slow.seconds == pytest.approx(RAMP_SECONDS + (10_000 / 150 - 1) / HIGH), "a mountain it stays"
    assert Surge(1_000, 300.0, within=55.0).seconds == Surge(1_000, 300.0).seconds, "who has time has the whole tail"


@pytest.mark.parametrize("seed", range(5))
def test_a_surges_buyers_come_where_its_rate_is(seed: int) -> None:
    times = arrivals(USUAL, seed)
    assert times == sorted(times)
    assert times[-1] == pytest.approx(USUAL.seconds, rel=0.1)
    # Without the last tenth, where a crowd of a fixed size is cut off.
    for first, last in pairwise(USUAL.seconds * part / 10 for part in range(10)):
        expected = USUAL.came(last) - USUAL.came(first)
        # Four standard deviations of a Poisson count; the seeds are these five.
        assert sum(first <= at < last for at in times) == pytest.approx(expected, abs=4 * expected**0.5)


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
