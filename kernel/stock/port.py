"""The stock as services see it. One behavioural suite holds the Redis adapter and the tests' fake to it.

Every write takes the epoch its caller believes in; where Redis has another, or none, nothing is written and the
answer is STALE_EPOCH. Every method raises DependencyUnavailable("redis") when Redis did not answer or a script
failed: the outcome is then unknown, and the same call may be repeated.
"""

from collections.abc import Sequence
from typing import Protocol

from kernel.offers import Offer
from kernel.stock.restored import RestoredBucket
from kernel.stock.results import (
    Counters,
    MarkResult,
    MoveKind,
    OfferState,
    OutboxEntry,
    Reservation,
    ReserveBatch,
    ReserveRequest,
    ReserveResult,
    SetInitialResult,
    Snapshot,
)
from meshkit.errors import DependencyUnavailable


class StockPort(Protocol):
    async def open_offer(self, offer: Offer, initial: int, opens_ms: int, closes_ms: int) -> bool:
        """Spreads `initial` over the offer's buckets and opens it; closes_ms 0: until closed. An offer that is there
        already in the same epoch is left as it is. False: another epoch is there. Only for offers that never sold:
        after a loss the rebuild, not this, restores them."""

    async def restore(self, bucket: RestoredBucket, now_ms: int) -> None:
        """A rebuild: forgets what the bucket held and loads this, under the offer's epoch, in state REBUILDING. All or
        nothing: until it returns, and where it raises, the bucket has no epoch and refuses everything. An idempotency
        key lives as long as it would have: a day from the order's making. Under a lock, after every record of an older
        epoch is a row."""

    async def set_state(
        self, offer_no: int, bucket: int, epoch: int, state: OfferState, only_from: OfferState | None = None
    ) -> bool:
        """False: stale epoch. With `only_from`, an offer in any other state is left as it is."""

    async def set_initial(self, offer_no: int, bucket: int, epoch: int, initial: int) -> SetInitialResult:
        """Sets the units on sale; what is available moves by the difference."""

    async def counters(self, offer_no: int, bucket: int) -> Counters | None: ...

    async def counters_of(self, slots: Sequence[tuple[int, int]]) -> list[Counters | None]:
        """The counters of many (offer_no, bucket), in order; one round trip."""

    async def snapshot(self, offer_no: int, bucket: int) -> Snapshot | None:
        """Reads every reservation of the bucket in one script: for the audit, never in a request."""

    async def reserve(
        self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
    ) -> list[ReserveResult]:
        """Results in the order of the requests. Raises ValueError for an order_id that is not of this bucket."""

    async def reserve_many(self, batches: Sequence[ReserveBatch]) -> list[list[ReserveResult] | DependencyUnavailable]:
        """All batches in one round trip; a batch whose outcome is unknown carries its error alone."""

    async def first_answer(
        self, offer_no: int, bucket: int, epoch: int, request: ReserveRequest
    ) -> ReserveResult | None:
        """What `reserve` would answer if the request was accepted before: REPLAY (which counts as asking) or REUSED.
        None: it was not. Reserves nothing in either case."""

    async def mark_pending(self, epoch: int, order_id: str) -> MarkResult:
        """Before answering PENDING. Marks only a reservation in R whose outbox entry is still there."""

    async def touch(self, epoch: int, order_id: str) -> bool:
        """The buyer asked: the consent runs anew. True where the order is PENDING."""

    async def clear_pending(self, epoch: int, order_id: str) -> bool:
        """After an ack seen by this caller: drops mark and outbox entry at once, so that no later mark can lead to a
        cancel. True: QUEUED may be said. False (CANCELLING, unknown order, stale epoch): it may not."""

    async def start_cancel(self, epoch: int, order_id: str, consent_ms: int) -> bool:
        """PENDING -> CANCELLING when asked about by nobody for consent_ms. True: publish the cancel (also when it was
        CANCELLING before: its publisher may have died)."""

    async def outbox_delete(self, offer_no: int, bucket: int, epoch: int, entry_ids: Sequence[str]) -> int:
        """Number deleted; 0 on a stale epoch."""

    async def outbox_entries(self, offer_no: int, bucket: int, older_than_ms: int, count: int) -> list[OutboxEntry]:
        """Oldest first, at most `count`."""

    async def outbox_entry(self, order_id: str) -> OutboxEntry | None: ...

    async def reservation(self, order_id: str) -> Reservation | None: ...

    async def reservations(self, order_ids: Sequence[str]) -> list[Reservation | None]:
        """In the order of the ids, in one round trip."""

    async def confirm(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        """R -> S. Results in the order of the ids; any (offer, bucket) mixed."""

    async def release(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        """R -> X: the units can be bought again, and the user's limit is free of them."""

    async def give_back(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        """S -> X, after a refund."""

    async def ended(self, offer_no: int, bucket: int, before_ms: int, cursor: int, count: int) -> tuple[list[str], int]:
        """About `count` reservations in S or X that were made before; they nominate, the database decides. Begin with
        cursor 0 and go on with the one returned, until it is 0."""

    async def trim(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        """Forgets reservations in S or X; those in R are SKIPPED. A unit of S stays sold, and counts as trimmed."""

    async def overdue(self, offer_no: int, bucket: int, now_ms: int, count: int, offset: int = 0) -> list[str]:
        """order_ids past their deadline, earliest first; they nominate, the database decides. `offset` looks past
        those that have no row yet and so stay."""

    async def lease(self, name: str, holder: str, ttl_ms: int) -> bool:
        """Takes or renews the lease. False: another holds it."""
