import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from meshkit.money import CURRENCIES, from_minor, to_minor


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(CURRENCIES)))
def test_there_and_back_is_exact(minor: int, currency: str) -> None:
    assert to_minor(from_minor(minor, currency)) == minor


@pytest.mark.parametrize(
    "money",
    [
        Money(units=1),
        Money(currency_code="JPY", units=1),
        Money(currency_code="EUR", units=1, nanos=1),
        Money(currency_code="EUR", units=1, nanos=-10_000_000),
        Money(currency_code="EUR", nanos=1_000_000_000),
    ],
)
def test_what_is_not_exact_is_refused(money: Money) -> None:
    with pytest.raises(ValueError, match=r"must|units"):
        to_minor(money)
