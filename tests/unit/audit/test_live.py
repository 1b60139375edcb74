"""A live audit forgives what is in flight, and nothing that has stood longer than its grace."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.audit.worlds import FAILED, NOW, PAID, bucket, database, facts, journal, row, transfer
from tools.audit.check import check
from tools.audit.facts import Facts, OfferRow, Reservation, StepRow
from tools.audit.invariants import INVARIANTS
from tools.audit.report import Verdict

GRACE = 30_000
SOLD = bucket().reservations[PAID]


def violated(world: Facts) -> dict[str, str]:
    lines = check(world, INVARIANTS).lines
    return {line.invariant: line.detail for line in lines if line.verdict is Verdict.VIOLATED}


def live(paid: str = "TO_SHIP", other: str = "CREATED", updated_ms: int = NOW - 50_000, **changes: Any) -> Facts:
    """An order of two units that was paid, and one that is to be paid for: what Redis holds of the latter is given."""
    open_units = 2 if other == "CREATED" else 0
    orders = {PAID: row(PAID, paid), FAILED: row(FAILED, other, updated_ms=updated_ms)}
    rows = database(
        orders=orders,
        offers=[OfferRow(1, "sale", "phone", 10, open_units, 2, 2)],
        steps=[StepRow(PAID, "debit", "DONE")],
    )
    return facts(**{"database": rows, "grace_ms": GRACE} | changes)


def held(state: str | None) -> dict[tuple[int, int], Any]:
    """The slot, with the other order's reservation in this state."""
    reservations = {PAID: SOLD}
    if state is not None:
        reservations[FAILED] = Reservation(state, 2, f"user-of-{FAILED}", NOW - 60_000)
    reserved, more = (2 if state == "R" else 0), (2 if state == "S" else 0)
    sold = 2 + more
    return {(1, 0): bucket(available=10 - reserved - sold, reserved=reserved, sold=sold, reservations=reservations)}


def test_an_order_that_is_to_be_paid_for_holds_its_units() -> None:
    assert violated(live(buckets=held("R"))) == {}


@pytest.mark.parametrize(("state", "said"), [("X", "X"), ("S", "S"), (None, "missing")])
def test_an_open_order_whose_units_are_on_sale_again_or_sold_is_red(state: str | None, said: str) -> None:
    assert violated(live(buckets=held(state))) == {"I9": f"order {FAILED} is CREATED, its reservation {said}"}


@pytest.mark.parametrize("state", ["X", "S", None])
def test_one_that_has_just_moved_is_forgiven(state: str | None) -> None:
    assert violated(live(updated_ms=NOW - GRACE + 1, buckets=held(state))) == {}


@pytest.mark.parametrize("state", ["X", "S"])
def test_one_that_moved_after_sql_was_read_is_forgiven(state: str) -> None:
    """Long CREATED in the snapshot, ended or paid by the time Redis was read."""
    assert violated(live(buckets=held(state), moved=frozenset({FAILED}))) == {}


def test_one_whose_charge_came_after_sql_was_read_is_forgiven() -> None:
    """A paid order, long unmoved in the snapshot, whose money was given back by the time the journal was read."""
    returned = journal(transfers=[transfer(), transfer("refund")], debits=[replace(journal().debits[0], refunded=True)])
    assert violated(live(buckets=held("R"), journal=returned)).keys() == {"I7"}
    assert violated(live(buckets=held("R"), journal=returned, moved=frozenset({PAID}))) == {}


def without(trimmed: int) -> dict[tuple[int, int], Any]:
    """The paid order has no reservation; as many units are counted as trimmed."""
    reservations = {FAILED: Reservation("X", 2, f"user-of-{FAILED}", NOW - 60_000)}
    limits = {f"user-of-{PAID}": 2} if trimmed else {}
    counters = {"available": 10 - trimmed, "sold": trimmed, "trimmed": trimmed}
    return {(1, 0): bucket(**counters, reservations=reservations, limits=limits)}


def test_a_paid_order_without_a_reservation_is_red() -> None:
    world = live(paid="PAID", other="PAYMENT_FAILED", buckets=without(0))
    assert violated(world) == {"I9": f"order {PAID} is PAID, its reservation missing"}


def test_not_even_a_trimmed_one_may_be_missing_before_it_is_done() -> None:
    assert violated(live(paid="PAID", other="PAYMENT_FAILED", buckets=without(2))).keys() == {"I9"}


def test_a_done_order_without_a_reservation_holds_only_where_it_was_trimmed() -> None:
    assert violated(live(other="PAYMENT_FAILED", buckets=without(2))) == {}
    missing = violated(live(other="PAYMENT_FAILED", buckets=without(0)))
    assert missing == {"I9": "offer 1: 2 units sold without a reservation, and 0 were trimmed"}
    assert violated(live(other="PAYMENT_FAILED", buckets=without(0), moved=frozenset({PAID}))) == {}


def test_what_is_lost_whole_is_told_once() -> None:
    assert violated(live(buckets={})).keys() == {"I1"}
