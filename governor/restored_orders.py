"""An offer's rows as the reservations that stand for them. Read-only: the rows are order_worker's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.rebuild_table import hours_of, read_offers
from governor.sale import OfferRow
from kernel.order_ids import offer_of
from kernel.order_states import OrderState, StockClass, stock_class
from kernel.promotion_answers import applied
from kernel.schema import orders
from kernel.stock.restored import RestoredBucket, RestoredOrder
from kernel.stock.results import Mark, ReservationState
from meshkit.errors import IllegalState

_STATES = {
    StockClass.RESERVED: ReservationState.RESERVED,
    StockClass.SOLD: ReservationState.SOLD,
    StockClass.NONE: ReservationState.RELEASED,
}
_COLUMNS = (
    orders.c.order_id,
    orders.c.user_id,
    orders.c.request_id,
    orders.c.request_hash,
    orders.c.quantity,
    orders.c.price_version,
    orders.c.discount_minor,
    orders.c.accepted_ms,
    orders.c.deadline_ms,
    orders.c.state,
)


async def read_buckets(engine: AsyncEngine, number: int, epoch: int) -> list[RestoredBucket]:
    """What each bucket of the offer is to hold under `epoch`, of one snapshot.

    Raises IllegalState where the offer's counters are not the sums of its rows: then nothing is true enough to load.
    """
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        [row] = await read_offers(connection, [number])
        hours = await hours_of(connection, number)
        found = (await connection.execute(select(*_COLUMNS).where(*_of(row)))).all()
    return spread(row, epoch, hours, [(offer_of(each.order_id)[1], _restored(each)) for each in found])


def _of(row: OfferRow) -> Any:
    """By the index on the SKU: there is none on the offer."""
    return orders.c.sku == row.offer.sku, orders.c.offer_no == row.offer.offer_no


def _restored(row: Any) -> RestoredOrder:
    return RestoredOrder(
        order_id=row.order_id,
        state=reservation_of(row.state),
        user_id=row.user_id,
        request_id=row.request_id or "",
        request_hash=row.request_hash,
        quantity=row.quantity,
        price_version=row.price_version,
        created_ms=row.accepted_ms,
        deadline_ms=row.deadline_ms,
        answer=applied(row.discount_minor) if row.discount_minor else "",
        mark=mark_of(row.state, row.request_id),
    )


def mark_of(state: str, request_id: str | None) -> Mark:
    """CANCELLING for an order of which nobody may be told QUEUED: refused by a rebuild, or cancelled for want of
    consent. That one's row has no request_id; a buyer's own cancel was of an order in the queue, and keeps it. The key
    of a request outlives the wipe, so that a retry may be led to either."""
    unsaid = state == OrderState.REJECTED_STALE_EPOCH or (state == OrderState.CANCELLED and request_id is None)
    return Mark.CANCELLING if unsaid else Mark.NONE


def reservation_of(state: str) -> ReservationState:
    return _STATES[stock_class(OrderState(state))]


def spread(
    row: OfferRow, epoch: int, hours: tuple[int, int], found: Sequence[tuple[int, RestoredOrder]]
) -> list[RestoredBucket]:
    """What is free is spread over the buckets; what is held stays where its order_id says."""
    share, rest = divmod(row.units.available, row.offer.buckets)
    buckets = []
    for number in range(row.offer.buckets):
        mine = [order for bucket, order in found if bucket == number]
        held = sum(order.quantity for order in mine if order.state is not ReservationState.RELEASED)
        free = share + (number < rest)
        buckets.append(RestoredBucket(replace(row.offer, epoch=epoch), number, held + free, *hours, mine))
    reserved = sum(each.units(ReservationState.RESERVED) for each in buckets)
    sold = sum(each.units(ReservationState.SOLD) for each in buckets)
    if (reserved, sold) != (row.reserved, row.sold):
        words = f"(reserved, sold) is {(row.reserved, row.sold)} in SQL, and by its rows {(reserved, sold)}"
        raise IllegalState(f"offer {row.offer.offer_no}: {words}")
    return buckets


async def read_states(connection: AsyncConnection, row: OfferRow) -> dict[str, ReservationState]:
    """By order. Waits for whoever is moving one of them: a move that was made under the older epoch is seen here, one
    that is made after this has the new one."""
    query = select(orders.c.order_id, orders.c.state).where(*_of(row)).with_for_update(read=True)
    return {each.order_id: reservation_of(each.state) for each in await connection.execute(query)}
