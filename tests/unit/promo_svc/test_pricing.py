"""Properties of the arithmetic, over every voucher and every spend."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from promo_svc.pricing import WHOLE, Fixed, Granted, Percentage, Refused, Voucher, discount

FROM = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 2, 1, tzinfo=UTC)
DURING = datetime(2026, 1, 15, tzinfo=UTC)

spends = st.integers(min_value=0, max_value=10**18)
percentages = st.builds(Percentage, st.integers(1, WHOLE))
fixed = st.builds(Fixed, st.integers(1, 10**12))
times = st.timedeltas(timedelta(days=-31), timedelta(days=62)).map(lambda since: FROM + since)


def voucher(benefit: Percentage | Fixed, min_spend_minor: int = 0, currency: str | None = "EUR") -> Voucher:
    return Voucher("ANY", benefit, currency, min_spend_minor, FROM, UNTIL)


vouchers = st.builds(voucher, st.one_of(percentages, fixed), st.integers(0, 10**12), st.sampled_from(["EUR", "USD"]))


@given(vouchers, spends, times)
def test_a_discount_is_never_below_zero_and_never_above_the_price(
    any_voucher: Voucher, spend: int, at: datetime
) -> None:
    quoted = discount(any_voucher, spend, "EUR", at)
    assert isinstance(quoted, Refused) or 0 <= quoted.minor <= spend


@given(percentages, spends)
def test_a_percentage_is_rounded_down_by_less_than_one_minor_unit(benefit: Percentage, spend: int) -> None:
    quoted = discount(voucher(benefit), spend, "EUR", DURING)
    assert isinstance(quoted, Granted)
    exact_in_ten_thousandths = spend * benefit.basis_points
    assert 0 <= exact_in_ten_thousandths - quoted.minor * WHOLE < WHOLE


@given(fixed, spends)
def test_a_fixed_voucher_takes_its_amount_or_the_whole_price(benefit: Fixed, spend: int) -> None:
    assert discount(voucher(benefit), spend, "EUR", DURING) == Granted(min(benefit.minor, spend))


@given(st.one_of(percentages, fixed), spends, st.integers(0, 10**6))
def test_spending_more_never_lowers_the_discount(benefit: Percentage | Fixed, spend: int, more: int) -> None:
    less, greater = (discount(voucher(benefit), each, "EUR", DURING) for each in (spend, spend + more))
    assert isinstance(less, Granted)
    assert isinstance(greater, Granted)
    assert less.minor <= greater.minor


@given(st.one_of(percentages, fixed), spends, times)
def test_it_is_granted_exactly_inside_its_window(benefit: Percentage | Fixed, spend: int, at: datetime) -> None:
    assert isinstance(discount(voucher(benefit), spend, "EUR", at), Granted) == (FROM <= at < UNTIL)


@given(st.one_of(percentages, fixed), st.integers(0, 10**6), st.integers(0, 10**6))
def test_it_is_granted_exactly_from_the_minimum_spend_up(benefit: Percentage | Fixed, spend: int, least: int) -> None:
    assert isinstance(discount(voucher(benefit, least), spend, "EUR", DURING), Granted) == (spend >= least)


def test_the_window_holds_its_first_instant_and_not_its_last() -> None:
    tenth, tick = voucher(Percentage(1_000)), timedelta(microseconds=1)
    assert discount(tenth, 999, "EUR", FROM) == Granted(99)
    assert discount(tenth, 999, "EUR", UNTIL - tick) == Granted(99)
    assert discount(tenth, 999, "EUR", UNTIL) == Refused("the voucher has expired")
    assert discount(tenth, 999, "EUR", FROM - tick) == Refused("the voucher is not valid yet")


def test_refusals_say_what_is_missing() -> None:
    five_off = voucher(Fixed(500), 2_000)
    assert discount(five_off, 1_999, "EUR", DURING) == Refused("the voucher needs a spend of at least 20.00 EUR")
    assert discount(five_off, 2_000, "USD", DURING) == Refused("the voucher is for purchases in EUR")


def test_a_voucher_without_amounts_holds_in_any_currency() -> None:
    assert discount(voucher(Percentage(1_000), currency=None), 1_000, "USD", DURING) == Granted(100)
