"""A batch of payment results → moves of order rows, stock counters and refunds, in one transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.order_states import OrderState
from kernel.payment_steps import REFUND, STARTED, UNBOOK, key_of
from kernel.schema import REASON_CHARS, offer, orders, payment_step
from meshkit.log import get_logger
from order_worker import metrics
from order_worker.data_faults import DataFault
from order_worker.plan_results import Move, ResultsPlan, plan_results
from order_worker.standing import Standing
from order_worker.stock_rows import Moved, deltas, shift
from order_worker.transactions import transact
from peakmesh.event.v1.events_pb2 import PaymentResult

log = get_logger(__name__)


class _Row(NamedTuple):
    order_id: str
    offer_no: int
    quantity: int
    state: str
    epoch: int


async def write_results(engine: AsyncEngine, results: Sequence[PaymentResult], now_ms: int) -> list[Standing]:
    """The row of every result, moved or not. Raises DataFault when one names an order without a row: payment begins
    after the row's commit, so such a result is foreign."""
    standings, plan = await transact(engine, partial(_write, results, now_ms))
    for move in plan.moves.values():
        metrics.MOVES.labels(move.new.value).inc()
    for order_id in plan.refunds:
        log.warning("success met a failed row, refund started", order_id=order_id)
        metrics.REFUNDS.inc()
    return standings


async def _write(
    results: Sequence[PaymentResult], now_ms: int, connection: AsyncConnection, _attempt: int
) -> tuple[list[Standing], ResultsPlan]:
    rows = await _locked_rows(connection, sorted({result.order_id for result in results}))
    foreign = sorted({result.order_id for result in results} - rows.keys())
    if foreign:
        raise DataFault(f"no order row: {', '.join(foreign[:5])}")
    plan = plan_results({order_id: OrderState(row.state) for order_id, row in rows.items()}, results)
    await _move_rows(connection, plan.moves, now_ms)
    await _start_refunds(connection, plan.refunds, now_ms)
    moved = [
        Moved(order_id, rows[order_id].offer_no, rows[order_id].quantity, move.old, move.new)
        for order_id, move in plan.moves.items()
    ]
    await shift(connection, deltas(moved))
    return [_standing(row, plan) for row in rows.values()], plan


def _standing(row: _Row, plan: ResultsPlan) -> Standing:
    move = plan.moves.get(row.order_id)
    return Standing(row.order_id, row.offer_no, move.new if move else OrderState(row.state), row.epoch)


async def _locked_rows(connection: AsyncConnection, order_ids: Sequence[str]) -> dict[str, _Row]:
    """Locked in the order of their key: from here on the move to any state is this transaction's."""
    columns = (orders.c.order_id, orders.c.offer_no, orders.c.quantity, orders.c.state)
    query = select(*columns).where(orders.c.order_id.in_(order_ids)).order_by(orders.c.order_id).with_for_update()
    rows = list(await connection.execute(query)) if order_ids else []
    epochs = await _epochs(connection, {row.offer_no for row in rows})
    return {row.order_id: _Row(*row, epochs[row.offer_no]) for row in rows}


async def _epochs(connection: AsyncConnection, numbers: set[int]) -> defaultdict[int, int]:
    """The stock's epochs now; 0, which no stock has, for an offer that is not registered."""
    query = select(offer.c.offer_no, offer.c.epoch).where(offer.c.offer_no.in_(sorted(numbers)))
    found = await connection.execute(query) if numbers else ()
    return defaultdict(int, {row.offer_no: row.epoch for row in found})


async def _move_rows(connection: AsyncConnection, moves: Mapping[str, Move], now_ms: int) -> None:
    """One UPDATE for all that move alike: shipping is quoted by weight and zone, so a batch has few kinds of moves."""
    alike: defaultdict[Move, list[str]] = defaultdict(list)
    for order_id, move in moves.items():
        alike[move].append(order_id)
    for move, order_ids in alike.items():
        values: dict[str, Any] = {"state": move.new.value, "reason": move.reason[:REASON_CHARS], "updated_ms": now_ms}
        if move.shipping_minor is not None:
            values["shipping_minor"] = move.shipping_minor
        compare_and_set = update(orders).where(
            orders.c.order_id.in_(sorted(order_ids)), orders.c.state == move.old.value
        )
        await connection.execute(compare_and_set.values(values))


async def _start_refunds(connection: AsyncConnection, refunds: Mapping[str, PaymentResult], now_ms: int) -> None:
    """payment_worker completes them. One that is there already, in whatever state, is left alone."""
    if not refunds:
        return
    query = select(payment_step.c.order_id).where(
        payment_step.c.order_id.in_(sorted(refunds)), payment_step.c.step == REFUND
    )
    known = set((await connection.execute(query)).scalars())
    # Goods, invoice and coins go back too, and the money whatever the carrier says.
    new = [
        _step(refunds[order_id], step, now_ms)
        for order_id in sorted(refunds.keys() - known)
        for step in (REFUND, UNBOOK)
    ]
    if new:
        await connection.execute(insert(payment_step), new)


def _step(result: PaymentResult, step: str, now_ms: int) -> dict[str, object]:
    return {
        "order_id": result.order_id,
        "step": step,
        "idempotency_key": key_of(result.order_id, step),
        "state": STARTED,
        "amount_minor": result.amount_minor,
        "currency": result.currency,
        "reason": "charged after the order had failed",
        "deadline_ms": now_ms,
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }
