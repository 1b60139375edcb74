"""Gives an order up for its buyer: at once before the charge, by a refund after it.

The arbiter is the primary key of payment_step. Before the charge (debit, BARRED) is inserted with the row's move, or
(debit, STARTED) of payment_worker was first. After it (unbook, STARTED) asks payment_worker to take everything back.
Idempotent by state: whoever asks again is told the same, whatever the request_id.
"""

import asyncio
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.order_states import SOLD_STATES, OrderState
from kernel.payment_steps import DEBIT, FAILED, STARTED, UNBOOK, key_of
from kernel.schema import REASON_CHARS, offer, orders, payment_step
from kernel.stock.port import StockPort
from meshkit.clock import wall_ms
from meshkit.db.errors import database_answers
from meshkit.errors import IllegalState, OrderNotFound
from meshkit.identity import Identity
from order_worker import metrics
from order_worker.apply_standings import apply_standings
from order_worker.close_unpaid import close_unpaid
from order_worker.get_order import GetOrder, Waiting
from order_worker.order_reads import OrderView
from order_worker.standing import Standing
from order_worker.stock_rows import deltas, shift
from order_worker.transactions import transact

# Under the gateway's 2 s: past it the outcome is unknown, and the same call tells it.
SECONDS = 1.5
PAYING_SECONDS = 1.0
QUEUED_SECONDS, LONGEST_SECONDS = 1.0, 30.0
BY_THE_BUYER = "cancelled by the buyer"


class _Row(NamedTuple):
    offer_no: int
    state: OrderState
    currency: str
    epoch: int
    updated_ms: int


class CancelOrder:
    """A settled order can be cancelled for `settled_seconds` after its last move: later Redis forgets whose the unit
    was, and could not give it back."""

    def __init__(self, engine: AsyncEngine, stock: StockPort, get_order: GetOrder, settled_seconds: float) -> None:
        self._engine, self._stock, self._get_order = engine, stock, get_order
        self._settled_ms = int(settled_seconds * 1000)

    async def __call__(self, order_id: str, who: Identity, reason: str) -> OrderView:
        """The order after it. Raises OrderNotFound, for another's order too; IllegalState, with `retry_after` where a
        later try may succeed; DependencyUnavailable: the outcome is unknown, ask again."""
        found = await self._get_order(order_id, who)
        if isinstance(found, Waiting):
            # Never released without a row: Kafka may have the order, and its row would hold a unit given away twice.
            wait = min(LONGEST_SECONDS, max(QUEUED_SECONDS, found.eta_seconds or 0.0))
            raise IllegalState("the order is still in the queue; cancel it then", retry_after=wait)
        with database_answers():
            async with asyncio.timeout(SECONDS):
                now = wall_ms()
                work = partial(_cancel, order_id, reason or BY_THE_BUYER, now, now - self._settled_ms)
                standing, moved = await transact(self._engine, work)
        if moved:
            metrics.CANCELS.labels(moved).inc()
        # Also where this call found it CANCELLED: whoever cancelled it may have been killed before this line.
        if standing.state is OrderState.CANCELLED:
            await apply_standings(self._stock, [standing])
        after = await self._get_order(order_id, who)
        if isinstance(after, Waiting):
            raise OrderNotFound("no such order")
        return after


async def _cancel(
    order_id: str, reason: str, now_ms: int, settled_since_ms: int, connection: AsyncConnection, _attempt: int
) -> tuple[Standing, str]:
    """Where the order stands, and when in its life this call gave it up: "" where nothing was left to do."""
    row = await _locked(connection, order_id)
    standing = Standing(order_id, row.offer_no, row.state, row.epoch)
    if row.state is OrderState.CREATED:
        moved = await close_unpaid(connection, {order_id: reason}, OrderState.CANCELLED, now_ms)
        if not moved:
            raise IllegalState("the order is being charged; cancel it then", retry_after=PAYING_SECONDS)
        await shift(connection, deltas(moved))
        return Standing(order_id, row.offer_no, OrderState.CANCELLED, row.epoch), "before_charge"
    if row.state in SOLD_STATES:
        if row.updated_ms < settled_since_ms:
            raise IllegalState("the order was settled too long ago to be cancelled")
        asked = await _ask_back(connection, order_id, row, reason, now_ms)
        return standing, "after_charge" if asked else ""
    if row.state not in (OrderState.CANCELLED, OrderState.REFUNDED):
        raise IllegalState(f"the order has ended as {row.state}")
    return standing, ""


async def _locked(connection: AsyncConnection, order_id: str) -> _Row:
    """Locked: from here on nobody else moves it."""
    columns = (orders.c.offer_no, orders.c.state, orders.c.currency, orders.c.updated_ms)
    query = select(*columns).where(orders.c.order_id == order_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise OrderNotFound("no such order")
    epoch = await connection.scalar(select(offer.c.epoch).where(offer.c.offer_no == row.offer_no))
    return _Row(row.offer_no, OrderState(row.state), row.currency, epoch or 0, row.updated_ms)


async def _ask_back(connection: AsyncConnection, order_id: str, row: _Row, reason: str, now_ms: int) -> bool:
    """(unbook, STARTED); False where it is there. The row's stamp moves too: watchers and audits see it young."""
    steps = await _steps(connection, order_id)
    if UNBOOK in steps:
        if steps[UNBOOK].state == FAILED:
            raise IllegalState(f"the order cannot be cancelled any more: {steps[UNBOOK].reason}")
        return False
    values: dict[str, Any] = {
        "order_id": order_id,
        "step": UNBOOK,
        "idempotency_key": key_of(order_id, UNBOOK),
        "state": STARTED,
        "amount_minor": steps[DEBIT].amount_minor if DEBIT in steps else 0,
        "currency": row.currency,
        "reason": reason[:REASON_CHARS],
        "deadline_ms": now_ms,
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }
    await connection.execute(insert(payment_step), [values])
    await connection.execute(update(orders).where(orders.c.order_id == order_id).values(updated_ms=now_ms))
    return True


async def _steps(connection: AsyncConnection, order_id: str) -> dict[str, Any]:
    columns = (payment_step.c.step, payment_step.c.state, payment_step.c.amount_minor, payment_step.c.reason)
    query = select(*columns).where(payment_step.c.order_id == order_id, payment_step.c.step.in_((DEBIT, UNBOOK)))
    return {each.step: each for each in await connection.execute(query)}
