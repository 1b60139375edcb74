"""The stock as services see it. One behavioural suite holds the Redis adapter and the tests' fake to it.

Every write takes the epoch its caller believes in; where Redis has another, or none, nothing is written and the
answer is STALE_EPOCH. Every method raises DependencyUnavailable("redis") when Redis did not answer or a script
failed: the outcome is then unknown, and the same call may be repeated.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kernel.offers import Offer
from meshkit.errors import DependencyUnavailable

# `|` parts the fields of a stored reservation, so no id may hold one.
_IDENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ANSWER = re.compile(r"[^|\x00-\x1f]{0,80}")


class ReserveKind(StrEnum):
    RESERVED = "RESERVED"
    REPLAY = "REPLAY"
    REUSED = "REUSED"
    STALE_EPOCH = "STALE_EPOCH"
    NOT_OPEN = "NOT_OPEN"
    PRICE_CHANGED = "PRICE_CHANGED"
    LIMIT = "LIMIT"
    SOLD_OUT = "SOLD_OUT"
    DUPLICATE_ID = "DUPLICATE_ID"


class ReservationState(StrEnum):
    RESERVED = "R"
    SOLD = "S"
    RELEASED = "X"


class Mark(StrEnum):
    """What the buyer was told. NONE: nothing yet, or QUEUED. CANCELLING: never say QUEUED again."""

    NONE = ""
    PENDING = "PENDING"
    CANCELLING = "CANCELLING"


class OfferState(StrEnum):
    OPEN = "OPEN"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"


class MoveKind(StrEnum):
    """All four mean done. SKIPPED: the reservation was not in the state the move starts from."""

    MOVED = "MOVED"
    SKIPPED = "SKIPPED"
    ABSENT = "ABSENT"
    STALE_EPOCH = "STALE_EPOCH"


class SetInitialKind(StrEnum):
    DONE = "DONE"
    BELOW_COMMITTED = "BELOW_COMMITTED"
    STALE_EPOCH = "STALE_EPOCH"


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """One order to reserve. `event` is the outbox entry's bytes; `answer`, the caller's own, comes back in replays.

    Raises ValueError on what could not be stored: ids, or an answer over 80 characters or with `|` in it.
    """

    order_id: str
    user_id: str
    request_id: str
    request_hash: str
    quantity: int
    price_version: int
    event: bytes
    deadline_after_ms: int
    answer: str = ""

    def __post_init__(self) -> None:
        for ident in (self.order_id, self.user_id, self.request_id, self.request_hash):
            if not _IDENT.fullmatch(ident):
                raise ValueError(f"not an id: {ident[:80]!r}")
        if not _ANSWER.fullmatch(self.answer):
            raise ValueError(f"not an answer: {self.answer[:80]!r}")
        if self.quantity < 1 or self.deadline_after_ms < 1:
            raise ValueError(f"quantity {self.quantity}, deadline_after_ms {self.deadline_after_ms}: at least 1")


@dataclass(frozen=True, slots=True)
class Hours:
    """Why an offer takes no orders: its state, or now_ms outside opens_ms to closes_ms (0: until closed)."""

    state: OfferState
    opens_ms: int
    closes_ms: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class ReserveResult:
    """What became of one request; the fields beside `kind` are set where they apply.

    RESERVED       order_id, entry_id, deadline_ms
    REPLAY         order_id of the first request, its state, mark, entry_id, entry_present, deadline_ms, answer; if
                   PENDING, this counts as asking about it. state None: the reservation was trimmed since
    NOT_OPEN       hours: the offer's state and hours, and what Redis' clock said
    PRICE_CHANGED  price_version now valid
    SOLD_OUT       available: what is left, less than was asked for
    DUPLICATE_ID   the order_id exists already: make a new one and repeat
    """

    kind: ReserveKind
    order_id: str = ""
    entry_id: str = ""
    deadline_ms: int = 0
    state: ReservationState | None = None
    mark: Mark = Mark.NONE
    entry_present: bool = False
    price_version: int = 0
    available: int = 0
    answer: str = ""
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class ReserveBatch:
    """Requests of one (offer, bucket), in order of arrival; each sees its predecessors."""

    offer_no: int
    bucket: int
    epoch: int
    requests: Sequence[ReserveRequest]


@dataclass(frozen=True, slots=True)
class Reservation:
    """One reservation with its outbox entry's fate. Times are Unix ms of Redis; deadline_ms 0: no longer due."""

    order_id: str
    state: ReservationState
    quantity: int
    user_id: str
    price_version: int
    created_ms: int
    mark: Mark
    asked_ms: int
    entry_id: str
    entry_present: bool
    deadline_ms: int
    epoch: int
    answer: str = ""


@dataclass(frozen=True, slots=True)
class MarkResult:
    """`found` False: no such reservation, or another epoch. `entry_present` False: somebody's ack was seen, so the
    order is in the queue and was not marked."""

    found: bool
    mark: Mark = Mark.NONE
    entry_present: bool = False


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One event not known to be in Kafka. age_ms is by Redis' clock; state None: its reservation is gone."""

    entry_id: str
    order_id: str
    event: bytes
    age_ms: int
    state: ReservationState | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class Counters:
    """initial = available + reserved + sold. Times are Unix ms; closes_ms 0: until closed."""

    initial: int
    available: int
    reserved: int
    sold: int
    trimmed: int
    price_minor: int
    price_version: int
    unit_limit: int
    epoch: int
    state: OfferState
    opens_ms: int
    closes_ms: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counters and the sums behind them, read at one instant; for the audit.

    held, sold, released: units over the reservations in R, S, X. holdings: units over all users' limits.
    negative: names of counters and users' holdings below zero.
    """

    counters: Counters
    held: int
    sold: int
    released: int
    holdings: int
    reservations: int
    outbox_length: int
    due_length: int
    negative: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetInitialResult:
    """`committed`: reserved + sold, below which the units cannot be lowered."""

    kind: SetInitialKind
    committed: int = 0


class StockPort(Protocol):
    async def open_offer(self, offer: Offer, initial: int, opens_ms: int, closes_ms: int) -> bool:
        """Spreads `initial` over the offer's buckets and opens it; closes_ms 0: until closed. An offer that is there
        already in the same epoch is left as it is. False: another epoch is there. Only for offers that never sold:
        after a loss the rebuild, not this, restores them."""

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
        """Results in the order of the requests."""

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
