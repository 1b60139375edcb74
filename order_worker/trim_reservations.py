"""Reservations of orders that ended long ago leave Redis: 130 bytes each that nobody asks about any more.

Redis nominates and the database decides: the row must be terminal, untouched since, and nothing of it under way to be
taken back, which would still have to give the units back. A TO_SHIP row whose taking-back was begun and not refused is
under way until it is REFUNDED: the last step is DONE before that result is read, and where the carrier was away for a
day the row is older than any bound by then. CancelOrder refuses what is nearly as old as that.
"""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_states import SOLD_STATES, TERMINAL_STATES
from kernel.payment_steps import FAILED, STARTED, STUCK, TAKING_BACK
from kernel.schema import offer, orders, payment_step
from kernel.stock.port import StockPort
from kernel.stock.results import MoveKind
from meshkit.log import get_logger
from order_worker import metrics

log = get_logger(__name__)
PAGE = 500


async def trim_reservations(engine: AsyncEngine, stock: StockPort, before_ms: int) -> int:
    """One pass over all offers; returns the number of reservations that went."""
    async with engine.connect() as connection:
        offers = list(await connection.execute(select(offer.c.offer_no, offer.c.buckets, offer.c.epoch)))
    gone = 0
    for number, buckets, epoch in offers:
        for bucket in range(buckets):
            gone += await _trim_bucket(engine, stock, (number, bucket, epoch), before_ms)
    if gone:
        metrics.TRIMMED.inc(gone)
        log.info("reservations trimmed", count=gone)
    return gone


async def _trim_bucket(engine: AsyncEngine, stock: StockPort, of: tuple[int, int, int], before_ms: int) -> int:
    number, bucket, epoch = of
    gone, cursor = 0, 0
    while True:
        nominees, cursor = await stock.ended(number, bucket, before_ms, cursor, PAGE)
        outcomes = await stock.trim(epoch, await _over(engine, nominees, before_ms)) if nominees else []
        gone += outcomes.count(MoveKind.MOVED)
        if cursor == 0:
            return gone


async def _over(engine: AsyncEngine, order_ids: Sequence[str], before_ms: int) -> list[str]:
    step = payment_step.c
    back = select(step.order_id).where(step.order_id.in_(sorted(order_ids)), step.step.in_(TAKING_BACK))
    query = select(orders.c.order_id).where(
        orders.c.order_id.in_(sorted(order_ids)),
        orders.c.state.in_(sorted(TERMINAL_STATES)),
        orders.c.updated_ms < before_ms,
        orders.c.order_id.not_in(back.where(step.state.in_((STARTED, STUCK)))),
        or_(
            orders.c.state.not_in(sorted(SOLD_STATES)),
            orders.c.order_id.not_in(back.where(step.state != FAILED)),
        ),
    )
    async with engine.connect() as connection:
        return list(await connection.scalars(query))
