"""Gives up CREATED orders before they are charged: cancel and expiry.

The primary key (order_id, step) of payment_step is the arbiter: (debit, BARRED) here against (debit, STARTED) of
payment_worker; the first insert wins and the other side stops.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.order_states import OrderState
from kernel.payment_steps import BARRED, DEBIT, key_of
from kernel.schema import REASON_CHARS, orders, payment_step
from order_worker.stock_rows import Moved


async def close_unpaid(
    connection: AsyncConnection,
    reasons: Mapping[str, str],
    new: OrderState,
    now_ms: int,
    *,
    free_requests: bool = False,
) -> list[Moved]:
    """Moves those of `reasons` (order_id → why) that are CREATED and have no debit to `new`; returns them.

    `free_requests`: of buyers who were never told QUEUED; the row keeps no request_id, by which a rebuild of the stock
    knows that QUEUED may not be said of it.

    An IntegrityError 1062 means that a debit was started meanwhile: repeat the whole transaction.
    The caller moves the stock counters.
    """
    if not reasons:
        return []
    steps = await _debits(connection, sorted(reasons))
    free = [order_id for order_id in sorted(reasons) if steps.get(order_id, BARRED) == BARRED]
    rows = await _locked_created(connection, free)
    if not rows:
        return []
    bars = [_bar(row.order_id, row.currency, now_ms) for row in rows if row.order_id not in steps]
    if bars:
        await connection.execute(insert(payment_step), bars)
    freed = {"request_id": None} if free_requests else {}
    for reason in sorted({reasons[row.order_id] for row in rows}):
        ids = [row.order_id for row in rows if reasons[row.order_id] == reason]
        values = {"state": new.value, "reason": reason[:REASON_CHARS], "updated_ms": now_ms} | freed
        mine = (orders.c.order_id.in_(ids), orders.c.state == OrderState.CREATED.value)
        await connection.execute(update(orders).where(*mine).values(values))
    return [Moved(row.order_id, row.offer_no, row.quantity, OrderState.CREATED, new) for row in rows]


async def _debits(connection: AsyncConnection, order_ids: Sequence[str]) -> dict[str, str]:
    query = select(payment_step.c.order_id, payment_step.c.state).where(
        payment_step.c.order_id.in_(order_ids), payment_step.c.step == DEBIT
    )
    return {row.order_id: row.state for row in await connection.execute(query)}


async def _locked_created(connection: AsyncConnection, order_ids: Sequence[str]) -> list[Any]:
    """The rows, locked in the order of their key: from here on nobody else moves them."""
    columns = (orders.c.order_id, orders.c.offer_no, orders.c.quantity, orders.c.currency)
    query = (
        select(*columns)
        .where(orders.c.order_id.in_(order_ids), orders.c.state == OrderState.CREATED.value)
        .order_by(orders.c.order_id)
        .with_for_update()
    )
    return list(await connection.execute(query)) if order_ids else []


def _bar(order_id: str, currency: str, now_ms: int) -> dict[str, object]:
    return {
        "order_id": order_id,
        "step": DEBIT,
        "idempotency_key": key_of(order_id, DEBIT),
        "state": BARRED,
        "currency": currency,
        "deadline_ms": now_ms,
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }
