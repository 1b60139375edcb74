"""Rows that need a person: found by the index on their state, never by a walk over all orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.order_states import TERMINAL_STATES, OrderState
from kernel.payment_steps import DEBIT, STUCK, TAKING_BACK
from kernel.schema import orders, payment_step
from order_worker.stuck import StuckKind, StuckOrder

_KINDS = {DEBIT: StuckKind.DEBIT} | dict.fromkeys(TAKING_BACK, StuckKind.REFUND)
# Booking, invoice, coins, and what takes them back; a debit that sticks is alone.
_MOST_STEPS = 7
_COLUMNS = (orders.c.order_id, orders.c.user_id, orders.c.sale_id, orders.c.state)


@dataclass(frozen=True, slots=True)
class Since:
    """Unix ms: a CREATED order is overdue past a deadline before `deadline`, a PAID one unsettled since `paid`; what
    failed before `failed` is history."""

    deadline: int
    paid: int
    failed: int


async def stuck_steps(connection: AsyncConnection, after: str, count: int) -> list[StuckOrder]:
    """The first `count` orders with steps that stick, each with all of them."""
    step = payment_step.c
    # What an order that has ended was to be given, and a provider refused: once it is cancelled nobody owes it.
    owed = or_(step.step.in_(TAKING_BACK), orders.c.state.not_in([state.value for state in TERMINAL_STATES]))
    query = (
        select(*_COLUMNS, step.step, step.reason, step.updated_ms)
        .join_from(payment_step, orders, step.order_id == orders.c.order_id)
        .where(step.state == STUCK, step.order_id > after, owed)
        .order_by(step.order_id, step.step)
        .limit(_MOST_STEPS * count)
    )
    found = groupby((await connection.execute(query)).all(), key=attrgetter("order_id"))
    return [_with_steps(list(rows)) for _, rows in islice(found, count)]


def _with_steps(rows: Sequence[Any]) -> StuckOrder:
    first, steps = rows[0], tuple(row.step for row in rows)
    kinds = [_KINDS[step] for step in steps if step in _KINDS]
    return StuckOrder(
        order_id=first.order_id,
        kind=kinds[0] if kinds else StuckKind.STEP,
        state=OrderState(first.state),
        steps=steps,
        reason="; ".join(f"{row.step}: {row.reason}" for row in rows),
        user_id=first.user_id,
        sale_id=first.sale_id,
        updated_ms=max(row.updated_ms for row in rows),
    )


async def stuck_rows(
    connection: AsyncConnection, after: str, count: int, since: Since, seen: Collection[str]
) -> list[StuckOrder]:
    """Without those that `stuck_steps` names. `seen`: FAILED_DLQ orders that an operator has acknowledged."""
    row, step = orders.c, payment_step.c
    steps_stuck = exists().where(step.order_id == row.order_id, step.state == STUCK)
    begun = exists().where(step.order_id == row.order_id, step.step == DEBIT)
    overdue = (row.state == OrderState.CREATED.value, row.deadline_ms < since.deadline, begun, ~steps_stuck)
    unsettled = (row.state == OrderState.PAID.value, row.updated_ms < since.paid, ~steps_stuck)
    failed = (row.state == OrderState.FAILED_DLQ.value, row.updated_ms >= since.failed, row.order_id.not_in(seen))
    kinds = ((StuckKind.OVERDUE, overdue), (StuckKind.UNSETTLED, unsettled), (StuckKind.FAILED, failed))
    found: list[StuckOrder] = []
    for kind, conditions in kinds:
        query = select(*_COLUMNS, row.reason, row.updated_ms).where(*conditions, row.order_id > after)
        rows: Sequence[Any] = (await connection.execute(query.order_by(row.order_id).limit(count))).all()
        found += [_without_steps(each, kind) for each in rows]
    return found


def _without_steps(row: Any, kind: StuckKind) -> StuckOrder:
    return StuckOrder(
        order_id=row.order_id,
        kind=kind,
        state=OrderState(row.state),
        steps=(),
        reason=row.reason,
        user_id=row.user_id,
        sale_id=row.sale_id,
        updated_ms=row.updated_ms,
    )
