"""From the scripts' replies to the port's types: every value is parsed once, here."""

from typing import Any

from kernel.order_ids import Slot, joined
from kernel.stock.results import (
    Counters,
    Hours,
    Mark,
    OfferState,
    OutboxEntry,
    Reservation,
    ReservationState,
    ReserveKind,
    ReserveResult,
    Snapshot,
)

Raw = list[Any]

COUNTER_FIELDS = (
    "initial",
    "avail",
    "reserved",
    "sold",
    "trimmed",
    "price",
    "price_version",
    "limit",
    "epoch",
    "opens_at",
    "closes_at",
)


def reserve_result(raw: Raw, slot: Slot, order_id: str = "") -> ReserveResult:
    """`order_id`: the request's own, which is the order's where it is RESERVED."""
    kind, *rest = raw
    match ReserveKind(kind.decode()):
        case ReserveKind.RESERVED:
            entry_id, deadline_ms = rest
            return ReserveResult(
                ReserveKind.RESERVED,
                order_id=order_id,
                entry_id=entry_id.decode(),
                deadline_ms=int(deadline_ms),
                state=ReservationState.RESERVED,
                entry_present=True,
            )
        case ReserveKind.REPLAY:
            first, state, mark, entry_id, present, deadline_ms, answer = rest
            return ReserveResult(
                ReserveKind.REPLAY,
                order_id=joined(slot, first),
                entry_id=entry_id.decode(),
                deadline_ms=int(deadline_ms),
                state=ReservationState(state.decode()) if state else None,
                mark=Mark(mark.decode()),
                entry_present=present == 1,
                answer=answer.decode(),
            )
        case ReserveKind.NOT_OPEN:
            offer_state, opens, closes, now = rest
            hours = Hours(OfferState(offer_state.decode()), int(opens), int(closes), int(now))
            return ReserveResult(ReserveKind.NOT_OPEN, hours=hours)
        case ReserveKind.PRICE_CHANGED:
            return ReserveResult(ReserveKind.PRICE_CHANGED, price_version=int(rest[0]))
        case ReserveKind.SOLD_OUT:
            return ReserveResult(ReserveKind.SOLD_OUT, available=int(rest[0]))
        case other:
            return ReserveResult(other)


def _state_mark(value: bytes) -> tuple[ReservationState | None, Mark]:
    if not value:
        return None, Mark.NONE
    fields = value.decode().split("|")
    return ReservationState(fields[0]), Mark(fields[5])


def has_ended(value: bytes, before_ms: int) -> bool:
    """In S or X, and made before."""
    fields = value.decode().split("|")
    return fields[0] != ReservationState.RESERVED and int(fields[4]) < before_ms


def reservation(order_id: str, raw: Raw) -> Reservation:
    value, deadline_ms, epoch, _now, entry_id, _event = raw
    state, quantity, user_id, version, created, mark, asked, stored_entry, answer = value.decode().split("|")
    return Reservation(
        order_id=order_id,
        state=ReservationState(state),
        quantity=int(quantity),
        user_id=user_id,
        price_version=int(version),
        created_ms=int(created),
        mark=Mark(mark),
        asked_ms=int(asked),
        entry_id=stored_entry,
        entry_present=bool(entry_id),
        deadline_ms=int(deadline_ms),
        epoch=int(epoch),
        answer=answer,
    )


def outbox_entry(now_ms: int, entry_id: bytes, order_id: str, event: bytes, value: bytes) -> OutboxEntry:
    state, mark = _state_mark(value)
    age_ms = now_ms - int(entry_id.partition(b"-")[0])
    return OutboxEntry(entry_id.decode(), order_id, event, age_ms, state, mark)


def counters(values: dict[bytes, bytes]) -> Counters:
    """Raises KeyError or ValueError when the hash is not what `open.lua` wrote."""
    initial, available, reserved, sold, trimmed, price, version, limit, epoch, opens, closes = (
        int(values[name.encode()]) for name in COUNTER_FIELDS
    )
    return Counters(
        initial=initial,
        available=available,
        reserved=reserved,
        sold=sold,
        trimmed=trimmed,
        price_minor=price,
        price_version=version,
        unit_limit=limit,
        epoch=epoch,
        state=OfferState(values[b"state"].decode()),
        opens_ms=opens,
        closes_ms=closes,
    )


def snapshot(raw: Raw) -> Snapshot:
    stored, held, sold, released, holdings, count, outbox_length, due_length, negative = raw
    return Snapshot(
        counters=counters(dict(zip(stored[::2], stored[1::2], strict=True))),
        held=held,
        sold=sold,
        released=released,
        holdings=holdings,
        reservations=count,
        outbox_length=outbox_length,
        due_length=due_length,
        negative=tuple(name.decode() for name in negative),
    )
