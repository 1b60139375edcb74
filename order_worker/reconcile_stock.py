"""Reservations past their deadline whose rows have ended: the release or confirm that was lost is done again.

`due` only nominates and the database decides. An order without a row is never released: it may still be in Kafka.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.order_states import OrderState
from kernel.schema import offer, orders
from kernel.stock.port import StockPort
from meshkit.log import get_logger
from order_worker import metrics
from order_worker.apply_standings import apply_standings
from order_worker.standing import Standing

log = get_logger(__name__)
PAGE = 500


async def reconcile_stock(engine: AsyncEngine, stock: StockPort, now_ms: int, grace_ms: int) -> int:
    """One pass over all offers; returns the number of reservations put right."""
    async with engine.connect() as connection:
        offers = list(await connection.execute(select(offer.c.offer_no, offer.c.buckets)))
    healed = 0
    for number, buckets in offers:
        for bucket in range(buckets):
            healed += await _reconcile_bucket(engine, stock, number, bucket, now_ms - grace_ms)
    return healed


async def _reconcile_bucket(engine: AsyncEngine, stock: StockPort, number: int, bucket: int, before_ms: int) -> int:
    healed, looked_past = 0, 0
    while nominees := await stock.overdue(number, bucket, before_ms, PAGE, looked_past):
        async with engine.connect() as connection:
            standings = await _standings(connection, nominees)
        moved = await apply_standings(stock, standings)
        done = sum(moved.values())
        for effect, count in moved.items():
            metrics.HEALED.labels(effect).inc(count)
        if done:
            log.warning("reservations put right", offer_no=number, **moved)
        healed += done
        # What was moved has left the list; the rest stays in front of the next page.
        looked_past += len(nominees) - done
        if len(nominees) < PAGE:
            break
    return healed


async def _standings(connection: AsyncConnection, order_ids: Sequence[str]) -> list[Standing]:
    query = (
        select(orders.c.order_id, orders.c.offer_no, orders.c.state, offer.c.epoch)
        .join(offer, offer.c.offer_no == orders.c.offer_no)
        .where(orders.c.order_id.in_(sorted(order_ids)))
    )
    rows = await connection.execute(query)
    return [Standing(row.order_id, row.offer_no, OrderState(row.state), row.epoch) for row in rows]
