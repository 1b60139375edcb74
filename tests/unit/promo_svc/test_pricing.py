"""Properties of the arithmetic, over every voucher and every spend."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from promo_svc.pricing import WHOLE, Automatic, Fixed, Granted, Percentage, Refused, Spend, Terms, Voucher
from promo_svc.pricing import discount as discount_of

FROM = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 2, 1, tzinfo=UTC)
DURING = datetime(2026, 1, 15, tzinfo=UTC)

spends = st.integers(min_value=0, max_value=10**18)
percentages = st.builds(Percentage, st.integers(1, WHOLE))
fixed = st.builds(Fixed, st.integers(1, 10**12))
times = st.timedeltas(timedelta(days=-31), timedelta(days=62)).map(lambda since: FROM + since)


def voucher(benefit: Percentage | Fixed, min_spend_minor: int = 0, currency: str | None = "EUR") -> Voucher:
    return Voucher("ANY", benefit, Terms(currency, min_spend_minor, FROM, UNTIL))


def discount(any_voucher: Voucher, spend_minor: int, currency: str, at: datetime) -> Granted | Refused:
    return discount_of(any_voucher, Spend(spend_minor, currency, "sku-1", "sale-1"), at)


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


def test_it_is_for_its_skus_and_sales_alone() -> None:
    terms = Terms(None, 0, FROM, UNTIL, frozenset({"sku-2"}), frozenset({"sale-1"}))
    picky = Voucher("PICKY", Percentage(1_000), terms)
    assert discount_of(picky, Spend(1_000, "EUR", "sku-2", "sale-1"), DURING) == Granted(100)
    assert discount_of(picky, Spend(1_000, "EUR", "sku-1", "sale-1"), DURING) == Refused("the voucher is not for sku-1")
    assert discount_of(picky, Spend(1_000, "EUR", "sku-2", ""), DURING) == Refused("the voucher is not for this sale")


ALWAYS = Terms("EUR", 0, FROM, UNTIL)
automatics = st.lists(st.builds(Automatic, st.just("A"), percentages | fixed, st.just(ALWAYS)))


@given(automatics, percentages | fixed, spends)
def test_whatever_is_stacked_never_takes_more_than_the_spend_nor_less_than_the_voucher_alone(
    stacked: list[Automatic], benefit: Percentage | Fixed, spend: int
) -> None:
    alone = discount(voucher(benefit), spend, "EUR", DURING)
    both = discount(replace(voucher(benefit), stacks_with=stacked), spend, "EUR", DURING)
    assert isinstance(alone, Granted)
    assert isinstance(both, Granted)
    assert alone.minor <= both.minor + 1 <= spend + 1  # each percentage may lose a cent by rounding down
    assert len(both.stacked) == len(stacked)


def test_automatic_promotions_come_first_in_the_files_order_and_the_voucher_takes_of_what_they_leave() -> None:
    half = Automatic("HALF", Percentage(5_000), Terms(None, 0, FROM, UNTIL))
    ten = Automatic("TEN", Fixed(1_000), Terms("EUR", 0, FROM, UNTIL))
    over = Automatic("OVER", Percentage(9_000), Terms(None, 0, FROM - timedelta(days=9), FROM))
    base = voucher(Percentage(1_000))
    assert discount(replace(base, stacks_with=(half, ten, over)), 10_000, "EUR", DURING) == Granted(
        5_000 + 1_000 + 400, ("HALF", "TEN")
    )
    assert discount(replace(base, stacks_with=(ten, half)), 10_000, "EUR", DURING) == Granted(
        1_000 + 4_500 + 450, ("TEN", "HALF")
    )
    assert discount(replace(base, stacks_with=(ten, half)), 900, "EUR", DURING) == Granted(900, ("TEN", "HALF"))
