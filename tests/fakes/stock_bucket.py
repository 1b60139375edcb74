"""What Redis keeps under one tag, in memory: the decisions of reserve.lua over again, for tests/fakes/stock.py."""

from dataclasses import dataclass, field, replace

from kernel.stock.keys import IDEMPOTENCY_SECONDS
from kernel.stock.restored import RestoredBucket, RestoredOrder
from kernel.stock.results import (
    Counters,
    Hours,
    Mark,
    OfferState,
    OutboxEntry,
    Reservation,
    ReservationState,
    ReserveKind,
    ReserveRequest,
    ReserveResult,
)

R, S, X = ReservationState.RESERVED, ReservationState.SOLD, ReservationState.RELEASED


@dataclass
class Bucket:
    counters: Counters
    reservations: dict[str, Reservation] = field(default_factory=dict)
    holdings: dict[str, int] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    outbox: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    entries: int = 0

    def move(self, source: ReservationState, target: ReservationState, quantity: int) -> None:
        names = {R: "reserved", S: "sold", X: "available"}
        left, right = getattr(self.counters, names[source]), getattr(self.counters, names[target])
        changes = {names[source]: left - quantity, names[target]: right + quantity}
        self.counters = replace(self.counters, **changes)

    def reserve(self, epoch: int, now_ms: int, request: ReserveRequest) -> ReserveResult:
        current = self.counters.epoch == epoch
        first = self.first_answer(epoch, now_ms, request)
        if first:
            return first
        refusal = self._refusal(now_ms, request) if current else ReserveResult(ReserveKind.STALE_EPOCH)
        return refusal or self._accept(now_ms, request)

    def first_answer(self, epoch: int, now_ms: int, request: ReserveRequest) -> ReserveResult | None:
        answer = self.answers.get((request.user_id, request.request_id))
        if answer is None:
            return None
        order_id, first_hash = answer
        if first_hash != request.request_hash:
            return ReserveResult(ReserveKind.REUSED)
        return self._replay(order_id, request, now_ms if self.counters.epoch == epoch else None)

    def _replay(self, order_id: str, request: ReserveRequest, asked_ms: int | None) -> ReserveResult:
        reservation = self.reservations.get(order_id)
        if reservation is None:
            return ReserveResult(ReserveKind.REPLAY, order_id=order_id)
        if asked_ms is not None and reservation.state is R and reservation.mark is Mark.PENDING:
            self.reservations[order_id] = replace(reservation, asked_ms=asked_ms)
        return ReserveResult(
            ReserveKind.REPLAY,
            order_id=order_id,
            entry_id=reservation.entry_id,
            deadline_ms=reservation.deadline_ms or reservation.created_ms + request.deadline_after_ms,
            state=reservation.state,
            mark=reservation.mark,
            entry_present=reservation.entry_id in self.outbox,
            answer=reservation.answer,
        )

    def _refusal(self, now_ms: int, request: ReserveRequest) -> ReserveResult | None:
        counters = self.counters
        closed = counters.closes_ms and now_ms >= counters.closes_ms
        if counters.state is not OfferState.OPEN or now_ms < counters.opens_ms or closed:
            hours = Hours(counters.state, counters.opens_ms, counters.closes_ms, now_ms)
            return ReserveResult(ReserveKind.NOT_OPEN, hours=hours)
        if request.price_version != counters.price_version:
            return ReserveResult(ReserveKind.PRICE_CHANGED, price_version=counters.price_version)
        if self.holdings.get(request.user_id, 0) + request.quantity > counters.unit_limit:
            return ReserveResult(ReserveKind.LIMIT)
        if request.quantity > counters.available:
            return ReserveResult(ReserveKind.SOLD_OUT, available=counters.available)
        if request.order_id in self.reservations:
            return ReserveResult(ReserveKind.DUPLICATE_ID)
        return None

    def _accept(self, now_ms: int, request: ReserveRequest) -> ReserveResult:
        self.entries += 1
        entry_id, deadline_ms = f"{now_ms}-{self.entries}", now_ms + request.deadline_after_ms
        self.reservations[request.order_id] = Reservation(
            order_id=request.order_id,
            state=R,
            quantity=request.quantity,
            user_id=request.user_id,
            price_version=request.price_version,
            created_ms=now_ms,
            mark=Mark.NONE,
            asked_ms=now_ms,
            entry_id=entry_id,
            entry_present=True,
            deadline_ms=deadline_ms,
            epoch=self.counters.epoch,
            answer=request.answer,
        )
        self.move(X, R, request.quantity)
        self.holdings[request.user_id] = self.holdings.get(request.user_id, 0) + request.quantity
        self.answers[request.user_id, request.request_id] = (request.order_id, request.request_hash)
        self.outbox[entry_id] = (request.order_id, request.event)
        return ReserveResult(
            ReserveKind.RESERVED,
            order_id=request.order_id,
            entry_id=entry_id,
            deadline_ms=deadline_ms,
            state=R,
            entry_present=True,
        )

    def entry(self, entry_id: str, now_ms: int) -> OutboxEntry:
        order_id, event = self.outbox[entry_id]
        reservation = self.reservations[order_id]
        age_ms = now_ms - int(entry_id.partition("-")[0])
        return OutboxEntry(entry_id, order_id, event, age_ms, reservation.state, reservation.mark)


def restored(loaded: RestoredBucket, now_ms: int, answers: dict[tuple[str, str], tuple[str, str]]) -> Bucket:
    """As the scripts of a rebuild leave it; `answers`: those given before, which stay."""
    offer, reserved, sold = loaded.offer, loaded.units(R), loaded.units(S)
    bucket = Bucket(
        Counters(
            initial=loaded.initial,
            available=loaded.initial - reserved - sold,
            reserved=reserved,
            sold=sold,
            trimmed=0,
            price_minor=offer.price_minor,
            price_version=offer.price_version,
            unit_limit=offer.unit_limit,
            epoch=offer.epoch,
            state=OfferState.REBUILDING,
            opens_ms=loaded.opens_ms,
            closes_ms=loaded.closes_ms,
        ),
        answers=dict(answers),
    )
    for order in loaded.orders:
        bucket.reservations[order.order_id] = _reservation(order, offer.epoch)
        if order.state is not X:
            bucket.holdings[order.user_id] = bucket.holdings.get(order.user_id, 0) + order.quantity
        if order.request_id and now_ms - order.created_ms < IDEMPOTENCY_SECONDS * 1000:
            bucket.answers[order.user_id, order.request_id] = (order.order_id, order.request_hash)
    return bucket


def _reservation(order: RestoredOrder, epoch: int) -> Reservation:
    return Reservation(
        order_id=order.order_id,
        state=order.state,
        quantity=order.quantity,
        user_id=order.user_id,
        price_version=order.price_version,
        created_ms=order.created_ms,
        mark=order.mark,
        asked_ms=order.created_ms,
        entry_id="0-0",
        entry_present=False,
        deadline_ms=order.deadline_ms if order.state is R else 0,
        epoch=epoch,
        answer=order.answer,
    )
