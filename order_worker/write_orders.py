"""A batch of intake records → rows of `orders`, in one transaction. The database decides finally."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.order_states import OPEN_STATES, SOLD_STATES, OrderState
from kernel.schema import offer, orders
from order_worker import metrics
from order_worker.close_unpaid import close_unpaid
from order_worker.data_faults import DataFault
from order_worker.fences import fences_passed
from order_worker.order_rows import failed_values, to_values
from order_worker.plan_batch import FencePassed, Intake, Plan, RowSeen, overflow, plan_batch
from order_worker.standing import Standing
from order_worker.stock_rows import deltas, locked_available, reserve_guarded, shift
from order_worker.transactions import Overtaken, transact
from peakmesh.event.v1.events_pb2 import AcceptedOrder

_HOLDING = sorted(state.value for state in OPEN_STATES | SOLD_STATES)
_OVERSOLD = "no unit was left"


async def write_orders(
    engine: AsyncEngine, batch: Sequence[Intake], fences: Sequence[FencePassed], now_ms: int
) -> list[Standing]:
    """The row of every record, new or replayed. Raises DataFault or a data error when a record cannot be written."""
    standings, plan = await transact(engine, partial(_write, batch, fences, now_ms))
    written = {row.order.order_id for row in plan.inserts}
    for standing in standings:
        if standing.order_id in written:
            metrics.ROWS.labels(standing.state.value).inc()
        if standing.state is OrderState.REJECTED_OVERSOLD and standing.order_id in written:
            metrics.OVERSOLD.inc()
    return standings


async def _write(
    batch: Sequence[Intake],
    fences: Sequence[FencePassed],
    now_ms: int,
    connection: AsyncConnection,
    attempt: int,
) -> tuple[list[Standing], Plan]:
    known = await _offers(connection, {each.order.offer_no for each in batch})
    markers = await fences_passed(connection, fences, known)
    # A duplicate key may be the primary one too: an id that another buyer's row has is found by the id alone.
    seen = await _rows_seen(connection, batch, by_id=attempt > 1)
    plan = plan_batch(seen, batch, {number: row.unit_limit for number, row in known.items()}, markers)
    states = {row.order_id: row.state for row in seen}
    states |= {row.order.order_id: row.state for row in plan.inserts}
    if plan.inserts:
        await connection.execute(insert(orders), [to_values(row, now_ms) for row in plan.inserts])
    reasons = {each.order.order_id: each.reason for each in batch if each.cancelled}
    closing = {order_id: reasons[order_id] for order_id in plan.cancels}
    closed = await close_unpaid(connection, closing, OrderState.CANCELLED, now_ms, free_requests=True)
    states |= {move.order_id: move.new for move in closed}
    refused = await _move_stock(connection, deltas(closed), plan, now_ms)
    states |= dict.fromkeys(refused, OrderState.REJECTED_OVERSOLD)
    await _recheck_limits(connection, plan, known)
    return [_standing(each.order, states, known) for each in batch], plan


def _standing(order: AcceptedOrder, states: Mapping[str, OrderState], known: Mapping[int, Any]) -> Standing:
    return Standing(order.order_id, order.offer_no, states[order.order_id], known[order.offer_no].epoch)


async def _offers(connection: AsyncConnection, numbers: set[int]) -> dict[int, Any]:
    query = select(offer.c.offer_no, offer.c.unit_limit, offer.c.epoch).where(offer.c.offer_no.in_(sorted(numbers)))
    known = {row.offer_no: row for row in await connection.execute(query)} if numbers else {}
    missing = sorted(numbers - known.keys())
    if missing:
        raise DataFault(f"offers {missing} are not registered")
    return known


async def _rows_seen(connection: AsyncConnection, batch: Sequence[Intake], *, by_id: bool) -> list[RowSeen]:
    """Replays, reused request_ids and quantities held, all by one query."""
    if not batch:
        return []
    users = sorted({each.order.user_id for each in batch})
    numbers = sorted({each.order.offer_no for each in batch})
    found: ColumnElement[bool] = orders.c.user_id.in_(users) & orders.c.offer_no.in_(numbers)
    if by_id:
        found = or_(found, orders.c.order_id.in_(sorted({each.order.order_id for each in batch})))
    columns = (
        orders.c.order_id,
        orders.c.offer_no,
        orders.c.user_id,
        orders.c.request_id,
        orders.c.quantity,
        orders.c.state,
    )
    rows = await connection.execute(select(*columns).where(found))
    return [RowSeen(*row[:5], OrderState(row.state)) for row in rows]


async def _move_stock(
    connection: AsyncConnection, freed: Mapping[int, tuple[int, int]], plan: Plan, now_ms: int
) -> list[str]:
    """The stock rows, each offer once and in ascending order. Returns the order_ids for which no unit was left."""
    debits, refused = plan.debits(), []
    for number in sorted(freed.keys() | debits.keys()):
        if number in freed:
            await shift(connection, {number: freed[number]})
        if number in debits and not await reserve_guarded(connection, number, debits[number]):
            refused += await _reserve_what_fits(connection, plan, number)
    if refused:
        await connection.execute(
            update(orders)
            .where(orders.c.order_id.in_(sorted(refused)))
            .values(state=OrderState.REJECTED_OVERSOLD.value, reason=_OVERSOLD, updated_ms=now_ms)
        )
    return refused


async def _reserve_what_fits(connection: AsyncConnection, plan: Plan, number: int) -> list[str]:
    rows = [row for row in plan.inserts if row.order.offer_no == number and row.state is OrderState.CREATED]
    refused = overflow(rows, await locked_available(connection, number))
    fitting = sum(row.order.quantity for row in rows if row.order.order_id not in set(refused))
    if fitting and not await reserve_guarded(connection, number, fitting):
        raise Overtaken(f"offer {number}")
    return refused


async def _recheck_limits(connection: AsyncConnection, plan: Plan, known: Mapping[int, Any]) -> None:
    """Two workers may each have found a buyer below the limit. Raises Overtaken.

    The guard's row lock, held from there to the commit, lets the second one see the first one's rows here.
    """
    buyers: dict[int, set[str]] = {}
    for row in plan.inserts:
        if row.state is OrderState.CREATED:
            buyers.setdefault(row.order.offer_no, set()).add(row.order.user_id)
    for number, users in sorted(buyers.items()):
        query = (
            select(orders.c.user_id)
            .where(orders.c.user_id.in_(sorted(users)), orders.c.offer_no == number, orders.c.state.in_(_HOLDING))
            .group_by(orders.c.user_id)
            .having(func.sum(orders.c.quantity) > known[number].unit_limit)
            .limit(1)
        )
        if await connection.scalar(query) is not None:
            raise Overtaken(f"limit of offer {number}")


async def write_failed(engine: AsyncEngine, order: AcceptedOrder, reason: str, now_ms: int) -> Standing:
    """A FAILED_DLQ row for an order that cannot be written as it is, or the row that is there already."""
    standing, written = await transact(engine, partial(_write_failed, order, reason, now_ms))
    if written:
        metrics.ROWS.labels(OrderState.FAILED_DLQ.value).inc()
    return standing


async def _write_failed(
    order: AcceptedOrder, reason: str, now_ms: int, connection: AsyncConnection, _attempt: int
) -> tuple[Standing, bool]:
    epoch = await connection.scalar(select(offer.c.epoch).where(offer.c.offer_no == order.offer_no))
    state = await connection.scalar(select(orders.c.state).where(orders.c.order_id == order.order_id))
    if state is None:
        await connection.execute(insert(orders), [failed_values(order, reason, now_ms)])
    row_state = OrderState(state or OrderState.FAILED_DLQ)
    standing = Standing(order.order_id, order.offer_no, row_state, order.epoch if epoch is None else epoch)
    return standing, state is None
