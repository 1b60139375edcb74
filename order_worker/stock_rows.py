"""The counters `reserved` and `sold` of the offers: the final guard, and the moves by what the winners moved.

Called last in a transaction, offers in ascending order: order rows first, then stock rows, each sorted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.order_states import OrderState, counter_delta
from kernel.schema import offer

_GUARD = (
    update(offer)
    .where(offer.c.offer_no == bindparam("number"))
    .where(offer.c.reserved + offer.c.sold + bindparam("units") <= offer.c.initial)
    .values(reserved=offer.c.reserved + bindparam("units"))
)
_SHIFT = (
    update(offer)
    .where(offer.c.offer_no == bindparam("number"))
    .values(reserved=offer.c.reserved + bindparam("more_reserved"), sold=offer.c.sold + bindparam("more_sold"))
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A row that a compare-and-set of this transaction moved."""

    order_id: str
    offer_no: int
    quantity: int
    old: OrderState
    new: OrderState


def deltas(moves: Iterable[Moved]) -> dict[int, tuple[int, int]]:
    """(reserved, sold) to add, by offer number in ascending order; zero sums left out."""
    sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for move in moves:
        reserved, sold = counter_delta(move.old, move.new, move.quantity)
        sums[move.offer_no][0] += reserved
        sums[move.offer_no][1] += sold
    return {number: (both[0], both[1]) for number, both in sorted(sums.items()) if any(both)}


async def shift(connection: AsyncConnection, by_offer: Mapping[int, tuple[int, int]]) -> None:
    """Adds to the counters. A CHECK of the table refuses what would make one negative or oversell."""
    for number, (reserved, sold) in sorted(by_offer.items()):
        await connection.execute(_SHIFT, {"number": number, "more_reserved": reserved, "more_sold": sold})


async def reserve_guarded(connection: AsyncConnection, number: int, units: int) -> bool:
    """Reserves all of `units`, or nothing and False: initial would be exceeded."""
    result = await connection.execute(_GUARD, {"number": number, "units": units})
    return result.rowcount == 1


async def locked_available(connection: AsyncConnection, number: int) -> int:
    """Units still free; the row stays locked until the transaction ends."""
    free = offer.c.initial - offer.c.reserved - offer.c.sold
    query = select(free).where(offer.c.offer_no == number).with_for_update()
    return int(await connection.scalar(query) or 0)
