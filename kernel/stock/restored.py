"""What a rebuild loads into a bucket, and the scripts that do it: wipe, fill, and the seal last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kernel.offers import Offer
from kernel.order_ids import Slot, short_in
from kernel.stock import keys
from kernel.stock.results import Mark, ReservationState, check_reservation
from kernel.stock.scripts import Argument, Call

# A script of 500 orders takes about 5 ms. Lua's unpack ends near 8,000 values.
MAX_FILL = 500
# 64 bits tell a reused request_id from a retry: another body under it passes for the first one once in 10^19 times, and
# is then answered with the first order; nothing is sold by that. The row's hash, which is compared finally, is whole.
HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class RestoredOrder:
    """A reservation as its row says it. `request_id` empty: nobody may ask by it. `mark` CANCELLING where QUEUED may
    not be said of it: a key from before may still name it. Times in Unix ms.

    Raises ValueError for what a reservation cannot hold.
    """

    order_id: str
    state: ReservationState
    user_id: str
    request_id: str
    request_hash: str
    quantity: int
    price_version: int
    created_ms: int
    deadline_ms: int
    answer: str = ""
    mark: Mark = Mark.NONE

    def __post_init__(self) -> None:
        check_reservation(self.answer, self.user_id)


@dataclass(frozen=True, slots=True)
class RestoredBucket:
    """All that one bucket is to hold; `initial` is its share of the offer's units."""

    offer: Offer
    bucket: int
    initial: int
    opens_ms: int
    closes_ms: int
    orders: Sequence[RestoredOrder]

    def units(self, state: ReservationState) -> int:
        return sum(order.quantity for order in self.orders if order.state is state)

    def open_orders(self) -> int:
        return sum(order.state is ReservationState.RESERVED for order in self.orders)


def restoring(bucket: RestoredBucket, now_ms: int) -> Iterator[Call]:
    """To be run one after the other; the bucket has no epoch until the last one."""
    slot = bucket.offer.offer_no, bucket.bucket
    yield Call("wipe", keys.all_of(*slot) + keys.former(*slot), [])
    for start in range(0, len(bucket.orders), MAX_FILL):
        yield _fill(slot, bucket.orders[start : start + MAX_FILL], now_ms)
    yield _seal(bucket)


def _fill(slot: Slot, orders: Sequence[RestoredOrder], now_ms: int) -> Call:
    names = keys.moved_by(*slot)
    args: list[Argument] = []
    for order in orders:
        left = keys.IDEMPOTENCY_SECONDS - (now_ms - order.created_ms) // 1000 if order.request_id else 0
        names.append(keys.idempotency(*slot, order.user_id, order.request_id) if left > 0 else names[0])
        args += (short_in(slot, order.order_id), order.state, order.user_id, order.quantity, order.price_version)
        args += (order.created_ms, order.deadline_ms, order.mark, order.answer, order.request_hash[:HASH_DIGITS])
        args.append(max(0, min(left, keys.IDEMPOTENCY_SECONDS)))
    return Call("fill", names, args)


def _seal(bucket: RestoredBucket) -> Call:
    offer = bucket.offer
    units = bucket.initial, bucket.units(ReservationState.RESERVED), bucket.units(ReservationState.SOLD)
    sold_at = offer.price_minor, offer.price_version, offer.unit_limit, bucket.opens_ms, bucket.closes_ms
    counts = len(bucket.orders), bucket.open_orders()
    return Call("seal", keys.all_of(offer.offer_no, bucket.bucket), [offer.epoch, *units, *sold_at, *counts])
