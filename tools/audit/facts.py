"""What the audit knows: plain data read from each system, so that the checks are pure and can be tested themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernel.order_states import SOLD_STATES, TERMINAL_STATES
from kernel.vouchers.records import Counters, Hold

# Whoever ended so, failed or refunded, holds no stock and has no money with us.
UNSOLD_STATES = TERMINAL_STATES - SOLD_STATES


@dataclass(frozen=True)
class OfferRow:
    offer_no: int
    sale_id: str
    sku: str
    initial: int
    reserved: int
    sold: int
    unit_limit: int


@dataclass(frozen=True)
class OrderRow:
    order_id: str
    offer_no: int
    user_id: str
    request_hash: str
    quantity: int
    unit_price_minor: int
    price_version: int
    sku: str
    currency: str
    discount_minor: int
    shipping_minor: int | None
    voucher_code: str
    state: str
    accepted_ms: int
    updated_ms: int
    deadline_ms: int


@dataclass(frozen=True)
class StepRow:
    order_id: str
    step: str
    state: str


@dataclass(frozen=True)
class Reservation:
    state: str
    quantity: int
    user_id: str
    created_ms: int
    mark: str = ""


@dataclass(frozen=True)
class Bucket:
    """One Redis slot of an offer, read at one instant: `stk` counters, every reservation, the outbox by order_id, and
    the units that count towards each user's limit."""

    initial: int
    available: int
    reserved: int
    sold: int
    trimmed: int
    reservations: Mapping[str, Reservation]
    outbox_ms: Mapping[str, int] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """An accepted order as the Kafka log has it."""

    order_id: str
    offer_no: int
    request_hash: str
    discount_minor: int = 0
    cancelled: bool = False


@dataclass(frozen=True)
class Debit:
    """A debit that took money, as the provider's table of debits has it; `refunded` where it says so there."""

    order_id: str
    user_id: str
    amount_minor: int
    currency: str
    refunded: bool


@dataclass(frozen=True)
class Transfer:
    """Money that moved under a key of an order, by the ledger's entries: `kind` debit, refund or void; above zero in
    the direction of its kind. Without a buyer's entry `user_id` and `currency` are empty."""

    order_id: str
    kind: str
    user_id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class Ledger:
    """`unbalanced`: transfers whose entries do not sum to zero. `wrong`: accounts that differ from their entries."""

    unbalanced: Sequence[str]
    wrong: Sequence[str]
    negative: Sequence[str]


@dataclass(frozen=True)
class Journal:
    """`transfers`: what the ledger says was moved; `debits`: what the provider's own table says of it. `quotes`:
    shipping, minor units. `settled`: steps journalled after a debit; `taken_back`: those of them that were cancelled,
    credited or revoked, or barred before they came."""

    transfers: Sequence[Transfer]
    debits: Sequence[Debit]
    ledger: Ledger
    quotes: Mapping[str, int]
    settled: Mapping[str, frozenset[str]]
    taken_back: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class DeadLetter:
    topic: str
    order_id: str


@dataclass(frozen=True)
class Log:
    """The Kafka side: every order published, dead letters, and what each group has not committed yet.

    `foreign`: topic/partition/offset of records among the orders that are none. `since_ms`: whatever was accepted from
    then on must be there; what is older Kafka may have dropped. 0: it has dropped nothing.
    """

    published: Sequence[Published]
    dead_letters: Sequence[DeadLetter]
    lag: Mapping[str, int]
    foreign: Sequence[str] = ()
    since_ms: int = 0


@dataclass(frozen=True)
class VoucherBook:
    """One voucher with limits: its counters, the grant of each order, each user's uses.

    `elsewhere`: those of its orders that are of sales which were not read.
    """

    counters: Counters
    holds: Mapping[str, Hold]
    uses: Mapping[str, int]
    elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Database:
    """One REPEATABLE READ snapshot."""

    offers: Sequence[OfferRow]
    orders: Mapping[str, OrderRow]
    steps: Sequence[StepRow]
    prices: Mapping[tuple[str, int], int]


@dataclass(frozen=True)
class Unread:
    """A source that could not be read, and why."""

    why: str


@dataclass(frozen=True)
class Facts:
    """`queued`: order_ids a client was answered QUEUED for. `grace_ms` 0: the mesh is quiet, nothing is in flight.

    `vouchers`: the book of each voucher with limits, None where Redis has lost it.
    `moved`: order_ids whose rows moved within the grace, or since: SQL is read before the other systems, which may know
    of a later move.
    """

    database: Database | Unread
    buckets: Mapping[tuple[int, int], Bucket] | Unread
    log: Log | Unread
    journal: Journal | Unread
    queued: frozenset[str] | Unread
    vouchers: Mapping[str, VoucherBook | None] | Unread
    now_ms: int
    grace_ms: int = 0
    moved: frozenset[str] = frozenset()
    outbox_bound_ms: int = 10_000

    @property
    def live(self) -> bool:
        return self.grace_ms > 0

    def old(self, at_ms: int) -> bool:
        """Enough that every system must agree on it."""
        return at_ms <= self.now_ms - self.grace_ms

    def settled(self, row: OrderRow) -> bool:
        """The row has stood long enough, and still did after every system was read."""
        return self.old(row.updated_ms) and row.order_id not in self.moved
