"""StockPort in memory, held to the behavioural suite of the real adapter (tests/integration/kernel)."""

from collections.abc import Sequence
from dataclasses import replace

from kernel.offers import Offer
from kernel.order_ids import Slot, offer_of, short_in
from kernel.stock.restored import RestoredBucket
from kernel.stock.results import (
    Counters,
    Mark,
    MarkResult,
    MoveKind,
    OfferState,
    OutboxEntry,
    Reservation,
    ReservationState,
    ReserveBatch,
    ReserveKind,
    ReserveRequest,
    ReserveResult,
    SetInitialKind,
    SetInitialResult,
    Snapshot,
)
from meshkit.errors import DependencyUnavailable
from tests.fakes.stock_bucket import Bucket, R, S, X, restored


class FakeStock:
    """`now_ms` is its clock. While `down`, every call raises DependencyUnavailable and does nothing."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms
        self.down = False
        self._buckets: dict[Slot, Bucket] = {}
        self._leases: dict[str, tuple[str, int]] = {}

    def _answering(self) -> None:
        if self.down:
            raise DependencyUnavailable("redis")

    def _bucket(self, slot: Slot, epoch: int | None = None) -> Bucket | None:
        """The bucket, or None when it is missing or of another epoch."""
        self._answering()
        bucket = self._buckets.get(slot)
        return None if bucket is None or epoch not in (None, bucket.counters.epoch) else bucket

    async def open_offer(self, offer: Offer, initial: int, opens_ms: int, closes_ms: int) -> bool:
        self._answering()
        share, rest = divmod(initial, offer.buckets)
        epochs = set()
        for number in range(offer.buckets):
            units = share + (number < rest)
            fresh = Counters(
                units,
                units,
                reserved=0,
                sold=0,
                trimmed=0,
                price_minor=offer.price_minor,
                price_version=offer.price_version,
                unit_limit=offer.unit_limit,
                epoch=offer.epoch,
                state=OfferState.OPEN,
                opens_ms=opens_ms,
                closes_ms=closes_ms,
            )
            bucket = self._buckets.setdefault((offer.offer_no, number), Bucket(fresh))
            epochs.add(bucket.counters.epoch)
        return epochs == {offer.epoch}

    async def restore(self, bucket: RestoredBucket, now_ms: int) -> None:
        self._answering()
        slot = bucket.offer.offer_no, bucket.bucket
        before = self._buckets.pop(slot, None)
        for order in bucket.orders:
            short_in(slot, order.order_id)
        if bucket.units(R) + bucket.units(S) > bucket.initial:
            raise DependencyUnavailable("redis", "more is reserved and sold than there is")
        self._buckets[slot] = restored(bucket, now_ms, before.answers if before else {})

    async def set_state(
        self, offer_no: int, bucket: int, epoch: int, state: OfferState, only_from: OfferState | None = None
    ) -> bool:
        if (found := self._bucket((offer_no, bucket), epoch)) is None:
            return False
        if only_from in (None, found.counters.state):
            found.counters = replace(found.counters, state=state)
        return True

    async def set_initial(self, offer_no: int, bucket: int, epoch: int, initial: int) -> SetInitialResult:
        if (found := self._bucket((offer_no, bucket), epoch)) is None:
            return SetInitialResult(SetInitialKind.STALE_EPOCH)
        counters = found.counters
        committed = counters.reserved + counters.sold
        if initial < committed:
            return SetInitialResult(SetInitialKind.BELOW_COMMITTED, committed)
        available = counters.available + initial - counters.initial
        found.counters = replace(counters, initial=initial, available=available)
        return SetInitialResult(SetInitialKind.DONE, committed)

    async def counters(self, offer_no: int, bucket: int) -> Counters | None:
        found = self._bucket((offer_no, bucket))
        return found.counters if found else None

    async def counters_of(self, slots: Sequence[Slot]) -> list[Counters | None]:
        return [await self.counters(*slot) for slot in slots]

    async def snapshot(self, offer_no: int, bucket: int) -> Snapshot | None:
        if (found := self._bucket((offer_no, bucket))) is None:
            return None
        every = found.reservations.values()
        units = {state: sum(r.quantity for r in every if r.state is state) for state in (R, S, X)}
        names = [(name, getattr(found.counters, name)) for name in ("initial", "available", "reserved", "sold")]
        return Snapshot(
            counters=found.counters,
            held=units[R],
            sold=units[S],
            released=units[X],
            holdings=sum(found.holdings.values()),
            reservations=len(found.reservations),
            outbox_length=len(found.outbox),
            due_length=sum(r.deadline_ms > 0 for r in every),
            negative=tuple(name for name, value in names if value < 0),
        )

    async def reserve(
        self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
    ) -> list[ReserveResult]:
        self._answering()
        for request in requests:
            short_in((offer_no, bucket), request.order_id)
        found = self._buckets.get((offer_no, bucket))
        if found is None:
            return [ReserveResult(ReserveKind.STALE_EPOCH) for _ in requests]
        return [found.reserve(epoch, self.now_ms, request) for request in requests]

    async def reserve_many(self, batches: Sequence[ReserveBatch]) -> list[list[ReserveResult] | DependencyUnavailable]:
        return [await self.reserve(b.offer_no, b.bucket, b.epoch, b.requests) for b in batches]

    async def first_answer(
        self, offer_no: int, bucket: int, epoch: int, request: ReserveRequest
    ) -> ReserveResult | None:
        found = self._bucket((offer_no, bucket))
        return found.first_answer(epoch, self.now_ms, request) if found else None

    def _find(self, order_id: str, epoch: int | None = None) -> tuple[Bucket, Reservation] | None:
        bucket = self._bucket(offer_of(order_id), epoch)
        found = bucket.reservations.get(order_id) if bucket else None
        return (bucket, replace(found, entry_present=found.entry_id in bucket.outbox)) if bucket and found else None

    def _mark(self, bucket: Bucket, reservation: Reservation, mark: Mark, *, asked: bool = False) -> None:
        asked_ms = self.now_ms if asked else reservation.asked_ms
        bucket.reservations[reservation.order_id] = replace(reservation, mark=mark, asked_ms=asked_ms)

    async def mark_pending(self, epoch: int, order_id: str) -> MarkResult:
        if (found := self._find(order_id, epoch)) is None:
            return MarkResult(False)
        bucket, reservation = found
        if reservation.state is not R or not reservation.entry_present or reservation.mark is Mark.CANCELLING:
            return MarkResult(True, reservation.mark, reservation.entry_present)
        self._mark(bucket, reservation, Mark.PENDING, asked=True)
        return MarkResult(True, Mark.PENDING, True)

    async def touch(self, epoch: int, order_id: str) -> bool:
        found = self._find(order_id, epoch)
        if found is None or found[1].mark is not Mark.PENDING:
            return False
        self._mark(*found, Mark.PENDING, asked=True)
        return True

    async def clear_pending(self, epoch: int, order_id: str) -> bool:
        found = self._find(order_id, epoch)
        if found is None or found[1].mark is Mark.CANCELLING:
            return False
        bucket, reservation = found
        bucket.outbox.pop(reservation.entry_id, None)
        self._mark(bucket, reservation, Mark.NONE)
        return True

    async def start_cancel(self, epoch: int, order_id: str, consent_ms: int) -> bool:
        if (found := self._find(order_id, epoch)) is None or not found[1].entry_present:
            return False
        bucket, reservation = found
        waited = self.now_ms - reservation.asked_ms >= consent_ms
        if reservation.mark is Mark.PENDING and reservation.state is R and waited:
            self._mark(bucket, reservation, Mark.CANCELLING)
            return True
        return reservation.mark is Mark.CANCELLING

    async def outbox_delete(self, offer_no: int, bucket: int, epoch: int, entry_ids: Sequence[str]) -> int:
        found = self._bucket((offer_no, bucket), epoch)
        return sum(found.outbox.pop(entry_id, None) is not None for entry_id in entry_ids) if found else 0

    async def outbox_entries(self, offer_no: int, bucket: int, older_than_ms: int, count: int) -> list[OutboxEntry]:
        if (found := self._bucket((offer_no, bucket))) is None:
            return []
        entries = [found.entry(entry_id, self.now_ms) for entry_id in found.outbox]
        return [entry for entry in entries if entry.age_ms >= older_than_ms][:count]

    async def outbox_entry(self, order_id: str) -> OutboxEntry | None:
        found = self._find(order_id)
        return found[0].entry(found[1].entry_id, self.now_ms) if found and found[1].entry_present else None

    async def reservation(self, order_id: str) -> Reservation | None:
        found = self._find(order_id)
        return replace(found[1], epoch=found[0].counters.epoch) if found else None

    async def reservations(self, order_ids: Sequence[str]) -> list[Reservation | None]:
        return [await self.reservation(order_id) for order_id in order_ids]

    async def confirm(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return [self._move(epoch, order_id, R, S) for order_id in order_ids]

    async def release(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return [self._move(epoch, order_id, R, X) for order_id in order_ids]

    async def give_back(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return [self._move(epoch, order_id, S, X) for order_id in order_ids]

    def _move(self, epoch: int, order_id: str, source: ReservationState, target: ReservationState) -> MoveKind:
        if (bucket := self._bucket(offer_of(order_id), epoch)) is None:
            return MoveKind.STALE_EPOCH
        reservation = bucket.reservations.get(order_id)
        if reservation is None:
            return MoveKind.ABSENT
        if reservation.state is not source:
            return MoveKind.SKIPPED
        bucket.reservations[order_id] = replace(reservation, state=target, deadline_ms=0)
        bucket.move(source, target, reservation.quantity)
        if target is X:
            bucket.holdings[reservation.user_id] -= reservation.quantity
        return MoveKind.MOVED

    async def ended(self, offer_no: int, bucket: int, before_ms: int, cursor: int, count: int) -> tuple[list[str], int]:
        if (found := self._bucket((offer_no, bucket))) is None:
            return [], 0
        page = list(found.reservations.values())[cursor : cursor + count]
        after = cursor + count if cursor + count < len(found.reservations) else 0
        return [r.order_id for r in page if r.state is not R and r.created_ms < before_ms], after

    async def trim(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return [self._trim(epoch, order_id) for order_id in order_ids]

    def _trim(self, epoch: int, order_id: str) -> MoveKind:
        if (bucket := self._bucket(offer_of(order_id), epoch)) is None:
            return MoveKind.STALE_EPOCH
        reservation = bucket.reservations.get(order_id)
        if reservation is None or reservation.state is R:
            return MoveKind.ABSENT if reservation is None else MoveKind.SKIPPED
        del bucket.reservations[order_id]
        if reservation.state is S:
            trimmed = bucket.counters.trimmed + reservation.quantity
            bucket.counters = replace(bucket.counters, trimmed=trimmed)
        return MoveKind.MOVED

    async def overdue(self, offer_no: int, bucket: int, now_ms: int, count: int, offset: int = 0) -> list[str]:
        if (found := self._bucket((offer_no, bucket))) is None:
            return []
        due = sorted((r.deadline_ms, r.order_id) for r in found.reservations.values() if 0 < r.deadline_ms <= now_ms)
        return [order_id for _deadline, order_id in due[offset : offset + count]]

    async def lease(self, name: str, holder: str, ttl_ms: int) -> bool:
        self._answering()
        owner, until_ms = self._leases.get(name, (holder, 0))
        if owner != holder and self.now_ms < until_ms:
            return False
        self._leases[name] = (holder, self.now_ms + ttl_ms)
        return True

    def lose_everything(self) -> None:
        """As a Redis whose disk was lost."""
        self._buckets.clear()
        self._leases.clear()
