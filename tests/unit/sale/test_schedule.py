import pytest

from tools.sale.schedule import arrivals
from tools.sale.shape import Shape


def test_the_same_seed_brings_the_same_crowd() -> None:
    assert arrivals(500, 100, seed=7) == arrivals(500, 100, seed=7)
    assert arrivals(500, 100, seed=7) != arrivals(500, 100, seed=8)


def test_the_crowd_comes_at_its_rate_and_in_order() -> None:
    times = arrivals(20_000, 400, seed=1)
    assert times == sorted(times)
    assert 20_000 / times[-1] == pytest.approx(400, rel=0.05)


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
