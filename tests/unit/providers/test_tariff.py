import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.providers.loyalty import coins_for
from tools.providers.shipping import tracking_number
from tools.providers.tariff import RATES, price_minor, zone_of


@pytest.mark.parametrize(
    ("country", "grams", "minor"),
    [("DE", 1, 490), ("DE", 1000, 490), ("DE", 1001, 550), ("FR", 2500, 1290), ("CH", 500, 1490), ("JP", 3000, 3690)],
)
def test_the_price_is_by_zone_and_kilogram_begun(country: str, grams: int, minor: int) -> None:
    assert price_minor(zone_of(country), grams) == minor


@given(st.sampled_from(sorted(RATES)), st.integers(1, 10_000_000))
def test_more_weight_never_costs_less(zone: str, grams: int) -> None:
    assert 0 < price_minor(zone, grams) <= price_minor(zone, grams + 1)


def test_a_weight_below_one_gram_has_no_price() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        price_minor("eu", 0)


def test_a_tracking_number_carries_the_check_digit_of_s10() -> None:
    # The worked example of UPU S10: serial 47312482 has check digit 9.
    assert tracking_number(47_312_482) == "PA473124829DE"
    assert tracking_number(1) != tracking_number(100_000_001)


@pytest.mark.parametrize(("minor", "coins"), [(0, 0), (99, 0), (100, 1), (12_345, 123)])
def test_coins_are_one_percent_rounded_down(minor: int, coins: int) -> None:
    assert coins_for(minor) == coins
