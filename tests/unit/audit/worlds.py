"""A small mesh after a sale, as the audit sees it: one order paid, one failed, eight units left."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kernel.vouchers.records import Counters, Hold, HoldState, Limits
from tools.audit.facts import (
    Bucket,
    Database,
    Debit,
    Facts,
    Journal,
    Ledger,
    Log,
    OfferRow,
    OrderRow,
    Published,
    Reservation,
    StepRow,
    Transfer,
    VoucherBook,
)
from tools.audit.money import SETTLING

PAID, FAILED = "order-paid", "order-failed"
NOW = 1_000_000


def row(order_id: str, state: str, **changes: Any) -> OrderRow:
    base = OrderRow(
        order_id=order_id,
        offer_no=1,
        user_id=f"user-of-{order_id}",
        request_hash=f"hash-of-{order_id}",
        quantity=2,
        unit_price_minor=1000,
        price_version=1,
        sku="phone",
        currency="EUR",
        discount_minor=0,
        shipping_minor=500,
        voucher_code="",
        state=state,
        accepted_ms=NOW - 60_000,
        updated_ms=NOW - 50_000,
        deadline_ms=NOW + 60_000,
    )
    return replace(base, **changes)


def database(**changes: Any) -> Database:
    base = Database(
        offers=[OfferRow(1, "sale", "phone", initial=10, reserved=0, sold=2, unit_limit=2)],
        orders={PAID: row(PAID, "TO_SHIP"), FAILED: row(FAILED, "PAYMENT_FAILED")},
        steps=[StepRow(PAID, "debit", "DONE"), StepRow(FAILED, "debit", "FAILED")],
        prices={("phone", 1): 1000},
    )
    return replace(base, **changes)


def bucket(**changes: Any) -> Bucket:
    """With the limits that its reservations make."""
    reservations = {
        PAID: Reservation("S", 2, f"user-of-{PAID}", NOW - 60_000),
        FAILED: Reservation("X", 2, f"user-of-{FAILED}", NOW - 60_000),
    }
    base = Bucket(initial=10, available=8, reserved=0, sold=2, trimmed=0, reservations=reservations)
    made = replace(base, **changes)
    return made if "limits" in changes else replace(made, limits=_limits(made.reservations))


def _limits(reservations: Mapping[str, Reservation]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in reservations.values():
        if each.state != "X":
            found[each.user_id] = found.get(each.user_id, 0) + each.quantity
    return found


def log(**changes: Any) -> Log:
    published = [Published(each, 1, f"hash-of-{each}") for each in (PAID, FAILED)]
    return replace(Log(published=published, dead_letters=[], lag={"order_worker": 0}), **changes)


def debit(order_id: str = PAID, **changes: Any) -> Debit:
    return replace(Debit(order_id, f"user-of-{order_id}", 2500, "EUR", refunded=False), **changes)


def transfer(kind: str = "debit", order_id: str = PAID, **changes: Any) -> Transfer:
    return replace(Transfer(order_id, kind, f"user-of-{order_id}", 2500, "EUR"), **changes)


def journal(**changes: Any) -> Journal:
    """With the transfers that its debits tell of."""
    base = Journal([], debits=[debit()], ledger=Ledger([], [], []), quotes={PAID: 500}, settled={PAID: SETTLING})
    made = replace(base, **changes)
    return made if "transfers" in changes else replace(made, transfers=_transfers(made.debits))


def _transfers(debits: Sequence[Debit]) -> list[Transfer]:
    kinds = [(kind, each) for each in debits for kind in ("debit", *["refund"] * each.refunded)]
    return [Transfer(each.order_id, kind, each.user_id, each.amount_minor, each.currency) for kind, each in kinds]


def book(**changes: Any) -> VoucherBook:
    """A voucher that nobody of this small mesh has used, but one grant is held for an order not written yet."""
    held = {"order-young": Hold(HoldState.HELD, "ann", 300, NOW + 60_000)}
    base = VoucherBook(Counters(Limits(1_000, None, 1), 300, 1, 0, 0), held, {"ann": 1})
    return replace(base, **changes)


def facts(**changes: Any) -> Facts:
    base = Facts(
        database=database(),
        buckets={(1, 0): bucket()},
        log=log(),
        journal=journal(),
        queued=frozenset({PAID, FAILED}),
        vouchers={"SAVE": book()},
        now_ms=NOW,
    )
    return replace(base, **changes)
