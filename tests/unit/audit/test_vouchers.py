"""I13 is tested as the others are: one break in a good world, and exactly it turns red."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernel.vouchers.records import Counters, Hold, HoldState, Limits
from tests.unit.audit.worlds import FAILED, NOW, PAID, book, database, facts, journal, log, row
from tests.unit.audit.worlds import debit as debited
from tools.audit.check import check
from tools.audit.facts import Facts, Published, VoucherBook
from tools.audit.invariants import INVARIANTS
from tools.audit.read_vouchers import VoucherFile, limited_codes
from tools.audit.report import Verdict

BUYER = f"user-of-{PAID}"
GRANT = Hold(HoldState.COMMITTED, BUYER, 400, 0)
LATE = Hold(HoldState.HELD, BUYER, 400, NOW - 60_000)
YOUNG = replace(LATE, expires_ms=NOW)
TEN = Limits(1_000, None, 2)


def verdicts(world: Facts) -> dict[str, Verdict]:
    return {line.invariant: line.verdict for line in check(world, INVARIANTS).lines}


def bought(vouchers: Mapping[str, VoucherBook | None], paid: str = "TO_SHIP", **changes: Any) -> Facts:
    """One order was paid, with 400 off by voucher SAVE."""
    saved: dict[str, Any] = {"discount_minor": 400, "voucher_code": "SAVE"}
    published = [Published(PAID, 1, f"hash-of-{PAID}", 400), Published(FAILED, 1, f"hash-of-{FAILED}")]
    world = facts(
        database=database(orders={PAID: row(PAID, paid, **saved), FAILED: row(FAILED, "PAYMENT_FAILED")}),
        log=log(published=published),
        journal=journal(debits=[debited(amount_minor=2_100)]),
        vouchers=vouchers,
    )
    return replace(world, **changes)


def given(*holds: tuple[str, Hold], limits: Limits = TEN) -> VoucherBook:
    """A book whose counters and uses are those of its holds."""
    held = [each for _, each in holds if each.state is HoldState.HELD]
    done = [each for _, each in holds if each.state is HoldState.COMMITTED]
    uses = {each.user_id: sum(other.user_id == each.user_id for _, other in holds) for _, each in holds}
    sums = (sum(each.amount_minor for each in held), len(held), sum(each.amount_minor for each in done), len(done))
    return VoucherBook(Counters(limits, *sums), dict(holds), uses)


GOOD = given((PAID, GRANT))


def test_a_paid_order_and_its_grant_hold() -> None:
    assert set(verdicts(bought({"SAVE": GOOD})).values()) == {Verdict.HOLDS}


BREAKS: dict[str, dict[str, VoucherBook]] = {
    "over the budget": {"SAVE": given((PAID, GRANT), limits=Limits(399, None, None))},
    "a grant too many": {"SAVE": given((PAID, GRANT), ("o2", YOUNG), limits=Limits(None, 1))},
    "used too often": {"SAVE": given((PAID, GRANT), ("o2", YOUNG), limits=Limits(None, None, 1))},
    "counters off the grants": {"SAVE": replace(GOOD, counters=replace(GOOD.counters, committed_minor=399))},
    "uses off the grants": {"SAVE": replace(GOOD, uses={BUYER: 2})},
    "paid without a grant": {"SAVE": given()},
    "paid and only held": {"SAVE": given((PAID, LATE))},
    "another amount": {"SAVE": given((PAID, replace(GRANT, amount_minor=399)))},
    "committed for a failed order": {"SAVE": given((PAID, GRANT), (FAILED, replace(GRANT, user_id="bo")))},
    "committed for no order": {"SAVE": given((PAID, GRANT), ("order-none", replace(GRANT, user_id="bo")))},
    "committed for an order of another voucher": {"SAVE": GOOD, "TEN": given((PAID, GRANT))},
    "a hold leaked by a buyer who got nothing": {"SAVE": given((PAID, GRANT), ("order-none", LATE))},
    "a hold leaked by a failed order": {"SAVE": given((PAID, GRANT), (FAILED, LATE))},
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_budget_turns_i13_red_and_nothing_else(name: str) -> None:
    told = verdicts(bought(BREAKS[name]))
    assert {each for each, verdict in told.items() if verdict is Verdict.VIOLATED} == {"I13"}


def test_without_a_voucher_that_has_limits_it_does_not_apply() -> None:
    report = check(facts(vouchers={}), INVARIANTS)
    assert report.lines[-1].verdict is Verdict.NOT_APPLICABLE
    assert report.exit_code == 0


LOST: dict[str, dict[str, VoucherBook | None]] = {
    "the one book": {"SAVE": None},
    "one of two books": {"SAVE": None, "TEN": given()},
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("state", ["CREATED", "PAID", "TO_SHIP"])
def test_a_book_that_redis_lost_is_unknown_where_orders_have_its_voucher(name: str, state: str) -> None:
    report = check(bought(LOST[name], state), INVARIANTS)
    assert report.lines[-1].verdict is Verdict.UNKNOWN
    assert report.lines[-1].detail == "voucher SAVE: Redis has lost its book, and 1 orders have it"


@pytest.mark.parametrize("name", LOST)
def test_a_book_that_nobody_has_a_use_for_is_not_missed(name: str) -> None:
    spared = {Verdict.HOLDS, Verdict.NOT_APPLICABLE}
    assert verdicts(bought(LOST[name], "PAYMENT_FAILED"))["I13"] in spared
    assert verdicts(facts(vouchers=LOST[name]))["I13"] in spared


def test_what_is_broken_is_told_before_what_is_not_known() -> None:
    over = {"SAVE": None, "TEN": given(("o2", YOUNG), limits=Limits(399, None, None))}
    told = check(bought(over), INVARIANTS).lines[-1]
    assert told.verdict is Verdict.VIOLATED
    assert told.detail.endswith("; voucher SAVE: Redis has lost its book, and 1 orders have it")


def test_the_vouchers_with_limits_are_read_from_the_file_of_promo_svc(tmp_path: Path) -> None:
    assert limited_codes(VoucherFile().promo_vouchers) == {"FIRST100", "TENCLUB"}
    path = tmp_path / "vouchers.json"
    for text in ("", "[]", "{}", '{"vouchers": [7]}', '{"vouchers": [{"budget_minor": 1}]}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"Expecting value|lists no vouchers"):
            limited_codes(path)


def test_a_hold_in_its_time_and_a_row_that_has_just_moved_are_forgiven() -> None:
    assert verdicts(facts(vouchers={"SAVE": book()}))["I13"] is Verdict.HOLDS
    just_paid = bought({"SAVE": given((PAID, LATE))}, grace_ms=60_000)
    assert verdicts(just_paid)["I13"] is Verdict.HOLDS
    paid_since_sql_was_read = bought({"SAVE": given((PAID, GRANT), ("order-new", GRANT))}, grace_ms=10)
    assert verdicts(paid_since_sql_was_read)["I13"] is Verdict.HOLDS


def test_grants_of_sales_that_were_not_read_are_counted_and_not_looked_for() -> None:
    other = given((PAID, GRANT), ("order-elsewhere", replace(GRANT, user_id="bo")))
    world = bought({"SAVE": replace(other, elsewhere=frozenset({"order-elsewhere"}))})
    assert verdicts(world)["I13"] is Verdict.HOLDS
