"""CREATED rows past their deadline that nobody began to charge become EXPIRED."""

from functools import partial

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.order_states import OrderState
from kernel.payment_steps import DEBIT
from kernel.schema import offer, orders, payment_step
from kernel.stock.port import StockPort
from order_worker import metrics
from order_worker.apply_standings import apply_standings
from order_worker.close_unpaid import close_unpaid
from order_worker.standing import Standing
from order_worker.stock_rows import Moved, deltas, shift
from order_worker.transactions import transact

_REASON = "not paid in time"


async def expire_orders(engine: AsyncEngine, stock: StockPort, now_ms: int, at_most: int = 200) -> int:
    """Expires up to `at_most` and releases their reservations; returns the number expired.

    A crash between the commit and the release leaves the reservation to the reconciler.
    """
    moved, epochs = await transact(engine, partial(_expire, now_ms, at_most))
    standings = [Standing(move.order_id, move.offer_no, move.new, epochs[move.offer_no]) for move in moved]
    await apply_standings(stock, standings)
    metrics.MOVES.labels(OrderState.EXPIRED.value).inc(len(moved))
    return len(moved)


async def _expire(
    now_ms: int, at_most: int, connection: AsyncConnection, _attempt: int
) -> tuple[list[Moved], dict[int, int]]:
    order_ids = await _past_deadline(connection, now_ms, at_most)
    moved = await close_unpaid(connection, dict.fromkeys(order_ids, _REASON), OrderState.EXPIRED, now_ms)
    await shift(connection, deltas(moved))
    numbers = sorted({move.offer_no for move in moved})
    query = select(offer.c.offer_no, offer.c.epoch).where(offer.c.offer_no.in_(numbers))
    rows = await connection.execute(query) if numbers else ()
    return moved, {row.offer_no: row.epoch for row in rows}


async def _past_deadline(connection: AsyncConnection, now_ms: int, at_most: int) -> list[str]:
    """Without those whose debit was begun: they would fill the front of the list for as long as a provider is away."""
    begun = exists().where(payment_step.c.order_id == orders.c.order_id, payment_step.c.step == DEBIT)
    query = (
        select(orders.c.order_id)
        .where(orders.c.state == OrderState.CREATED.value, orders.c.deadline_ms < now_ms, ~begun)
        .order_by(orders.c.deadline_ms)
        .limit(at_most)
    )
    return list((await connection.execute(query)).scalars())
