"""What the stock is asked and what it answers: the values of StockPort, plain data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from meshkit.ids import is_ident

_ANSWER = re.compile(r"[^|\x00-\x1f]{0,80}")


def check_reservation(answer: str, *idents: str) -> None:
    """Raises ValueError on what a reservation could not hold."""
    for ident in idents:
        if not is_ident(ident):
            raise ValueError(f"not an id: {ident[:80]!r}")
    if not _ANSWER.fullmatch(answer):
        raise ValueError(f"not an answer: {answer[:80]!r}")


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
    """REBUILDING takes no orders either, and unlike CLOSED it will: who asks is told to come back."""

    OPEN = "OPEN"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"
    REBUILDING = "REBUILDING"


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
        check_reservation(self.answer, self.order_id, self.user_id, self.request_id, self.request_hash)
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
