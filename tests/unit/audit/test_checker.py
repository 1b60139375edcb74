"""The checker is itself tested: break one thing in a good world, and exactly the right invariants turn red."""

import pytest

from tests.unit.audit.worlds import FAILED, NOW, PAID, bucket, database, debit, facts, journal, log, row
from tools.audit.check import check
from tools.audit.facts import DeadLetter, Facts, Ledger, OfferRow, Published, Reservation, StepRow, Unread
from tools.audit.invariants import INVARIANTS
from tools.audit.report import Verdict


def violated(world: Facts) -> set[str]:
    return {line.invariant for line in check(world, INVARIANTS).lines if line.verdict is Verdict.VIOLATED}


def test_a_good_world_holds() -> None:
    report = check(facts(), INVARIANTS)
    assert [line.verdict for line in report.lines] == [Verdict.HOLDS] * 13
    assert report.exit_code == 0


OPEN = {PAID: row(PAID, "TO_SHIP"), FAILED: row(FAILED, "CREATED")}
HELD = {**bucket().reservations, FAILED: Reservation("R", 2, "u", NOW - 60_000)}
BOUGHT = {f"user-of-{PAID}": 2}
LOST = {**bucket().reservations, "order-lost": Reservation("R", 1, "u", NOW - 60_000)}

BREAKS = {
    "a unit leaked in Redis": (facts(buckets={(1, 0): bucket(available=7)}), {"I1"}),
    "Redis lost a bucket": (facts(buckets={}), {"I1"}),
    "oversold by one in SQL": (
        facts(database=database(offers=[OfferRow(1, "sale", "phone", 1, 0, 2, 2)])),
        {"I1"},
    ),
    "a counter below zero": (facts(buckets={(1, 0): bucket(available=-1, sold=11)}), {"I1", "I2"}),
    "a reservation nobody remembers": (
        facts(buckets={(1, 0): bucket(available=7, reserved=1, reservations=LOST)}),
        {"I1", "I2"},
    ),
    "a limit that forgot what its buyer bought": (facts(buckets={(1, 0): bucket(limits={})}), {"I2"}),
    "a limit not freed by a failed order": (facts(buckets={(1, 0): bucket(limits={**BOUGHT, "bo": 1})}), {"I2"}),
    "a limit freed with its reservation when that was trimmed": (
        facts(buckets={(1, 0): bucket(reservations={}, trimmed=2, limits={})}),
        {"I2"},
    ),
    "a limit that counts more than was trimmed": (
        facts(buckets={(1, 0): bucket(reservations={}, trimmed=2, limits={**BOUGHT, "bo": 1})}),
        {"I2"},
    ),
    "a counter off its rows": (
        facts(database=database(orders={PAID: row(PAID, "TO_SHIP", quantity=1)})),
        {"I3", "I4", "I12"},
    ),
    "an ack dropped": (facts(queued=frozenset({PAID, FAILED, "order-gone"})), {"I4"}),
    "a published order dropped": (
        facts(log=log(published=[*log().published, Published("order-gone", 1, "h")])),
        {"I4"},
    ),
    "cancelled for want of consent after QUEUED": (
        facts(
            database=database(orders={PAID: row(PAID, "TO_SHIP"), FAILED: row(FAILED, "CANCELLED")}),
            log=log(published=[*log().published, Published(FAILED, 1, f"hash-of-{FAILED}", cancelled=True)]),
        ),
        {"I4"},
    ),
    **{
        f"answered QUEUED and {state}": (
            facts(database=database(orders={PAID: row(PAID, "TO_SHIP"), FAILED: row(FAILED, state)})),
            {"I4"},
        )
        for state in ("REJECTED_OVERSOLD", "REJECTED_LIMIT", "REJECTED_DUPLICATE", "REJECTED_STALE_EPOCH", "FAILED_DLQ")
    },
    "a phantom row": (facts(log=log(published=[Published(PAID, 1, f"hash-of-{PAID}")])), {"I5"}),
    "a row with another body": (
        facts(log=log(published=[Published(PAID, 1, "other"), Published(FAILED, 1, f"hash-of-{FAILED}")])),
        {"I5"},
    ),
    "a promotion nobody granted": (
        facts(
            database=database(orders={PAID: row(PAID, "TO_SHIP", discount_minor=100), FAILED: row(FAILED, "EXPIRED")}),
            journal=journal(debits=[debit(amount_minor=2400)]),
        ),
        {"I5"},
    ),
    "an order that never ends": (
        facts(
            database=database(orders=OPEN, offers=[OfferRow(1, "sale", "phone", 10, 2, 2, 2)]),
            buckets={(1, 0): bucket(available=6, reserved=2, reservations=HELD)},
        ),
        {"I6"},
    ),
    "charged twice": (facts(journal=journal(debits=[debit(), debit()])), {"I7"}),
    "paid without a charge": (facts(journal=journal(debits=[])), {"I7"}),
    "a failed order charged": (facts(journal=journal(debits=[debit(), debit(FAILED)])), {"I7"}),
    "somebody else charged": (facts(journal=journal(debits=[debit(user_id="eve")])), {"I7"}),
    "a charge without an order": (facts(journal=journal(debits=[debit(), debit("order-none")])), {"I7"}),
    "done without an invoice": (facts(journal=journal(settled={PAID: frozenset({"booking", "coins"})})), {"I7"}),
    "done with its booking cancelled": (facts(journal=journal(taken_back={PAID: frozenset({"booking"})})), {"I7"}),
    "given back with its parcel still booked": (
        facts(
            database=database(
                orders={PAID: row(PAID, "REFUNDED"), FAILED: row(FAILED, "PAYMENT_FAILED")},
                offers=[OfferRow(1, "sale", "phone", 10, 0, 0, 2)],
            ),
            buckets={(1, 0): bucket(available=10, sold=0, reservations={PAID: Reservation("X", 2, "u", NOW - 60_000)})},
            journal=journal(debits=[debit(refunded=True)], taken_back={PAID: frozenset({"invoice", "coins"})}),
        ),
        {"I7"},
    ),
    "a cancel without an end": (
        facts(database=database(steps=[*database().steps, StepRow(PAID, "unbook", "STARTED")])),
        {"I6"},
    ),
    "a transfer out of balance": (facts(journal=journal(ledger=Ledger(["t1"], [], []))), {"I8"}),
    "a balance below zero": (facts(journal=journal(ledger=Ledger([], [], ["u1"]))), {"I8"}),
    "a failed order that holds stock": (
        facts(buckets={(1, 0): bucket(available=6, reserved=2, reservations=HELD)}),
        {"I1", "I2", "I9"},
    ),
    "over the limit": (
        facts(database=database(offers=[OfferRow(1, "sale", "phone", 10, 0, 2, 1)])),
        {"I10"},
    ),
    "an entry left in the outbox": (facts(buckets={(1, 0): bucket(outbox_ms={PAID: NOW - 5})}), {"I11"}),
    "a queue not drained": (facts(log=log(lag={"order_worker": 3})), {"I11"}),
    "charged too much": (facts(journal=journal(debits=[debit(amount_minor=2501)])), {"I12"}),
    "a price not in the catalogue": (facts(database=database(prices={("phone", 1): 999})), {"I12"}),
    "shipping not as quoted": (facts(journal=journal(quotes={PAID: 400})), {"I12"}),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_world_is_red_where_it_broke(name: str) -> None:
    world, expected = BREAKS[name]
    assert violated(world) == expected


def test_a_dead_letter_of_an_order_that_goes_on_is_red() -> None:
    orders = {PAID: row(PAID, "PAID"), FAILED: row(FAILED, "PAYMENT_FAILED")}
    world = facts(database=database(orders=orders), log=log(dead_letters=[DeadLetter("orders.created.dlq", PAID)]))
    assert "I11" in violated(world)


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED", "PAYMENT_FAILED"])
def test_an_end_that_an_accepted_order_may_take_holds(state: str) -> None:
    assert violated(facts(database=database(orders={PAID: row(PAID, "TO_SHIP"), FAILED: row(FAILED, state)}))) == set()


def test_a_refused_order_whose_buyer_was_told_nothing_holds() -> None:
    orders = {PAID: row(PAID, "TO_SHIP"), FAILED: row(FAILED, "REJECTED_STALE_EPOCH")}
    assert violated(facts(database=database(orders=orders), queued=frozenset({PAID}))) == set()


def test_a_trimmed_reservation_stays_in_its_buyers_limit() -> None:
    world = facts(buckets={(1, 0): bucket(reservations={}, trimmed=2, limits=BOUGHT)})
    assert violated(world) == set()


@pytest.mark.parametrize("source", ["database", "buckets", "log", "journal", "queued", "vouchers"])
def test_what_cannot_be_read_is_unknown_and_never_holds(source: str) -> None:
    report = check(facts(**{source: Unread("connection refused")}), INVARIANTS)
    for invariant, line in zip(INVARIANTS, report.lines, strict=True):
        expected = Verdict.UNKNOWN if source in invariant.needs else Verdict.HOLDS
        assert line.verdict is expected
    assert report.exit_code == 2


def test_a_live_mesh_is_forgiven_what_is_in_flight() -> None:
    young = {**bucket().reservations, "order-young": Reservation("R", 1, "u", NOW - 100)}
    world = facts(
        grace_ms=10_000,
        buckets={(1, 0): bucket(available=7, reserved=1, reservations=young, outbox_ms={"order-young": NOW - 100})},
        log=log(lag={"order_worker": 12}),
    )
    assert violated(world) == set()
