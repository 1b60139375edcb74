"""The query of a buyer's purchase history."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select

from kernel.order_states import OrderState
from kernel.payment_steps import BARRED, DEBIT, FAILED
from kernel.schema import orders, payment_step
from order_worker.order_filter import OrderFilter

PAYING = "PAYING"
_ROW = orders.c
_debit = payment_step.alias("charge_step")


def page_ids(user_id: str, before: str, count: int, which: OrderFilter) -> Select[tuple[str]]:
    """The order_ids of one page, newest first, from the index `orders_history` alone: rows are read of the page only,
    however many orders a filter passes over."""
    # Named: the optimizer takes any index that begins with the user, and sorts all of their orders for each page.
    query = select(_ROW.order_id).with_hint(orders, "USE INDEX (orders_history)")
    query = query.where(_ROW.user_id == user_id, *_accepted(which))
    if before:
        query = query.where(_ROW.order_id < before)
    if which.states:
        query = _in_states(query, which.states)
    return query.order_by(_ROW.order_id.desc()).limit(count)


def _accepted(which: OrderFilter) -> Sequence[ColumnElement[bool]]:
    parts = []
    if which.from_ms is not None:
        parts.append(_ROW.accepted_ms >= which.from_ms)
    if which.until_ms is not None:
        parts.append(_ROW.accepted_ms < which.until_ms)
    return parts


def _in_states(query: Select[Any], states: frozenset[str]) -> Select[Any]:
    """PAYING is CREATED with a debit under way: where only one of the two is asked for, the debit decides."""
    stored = (states - {PAYING}) | ({OrderState.CREATED.value} if PAYING in states else frozenset())
    query = query.where(_ROW.state.in_(sorted(stored)))
    if (PAYING in states) == (OrderState.CREATED.value in states):
        return query
    charging = and_(_debit.c.state.is_not(None), _debit.c.state.not_in((BARRED, FAILED)))
    wanted = charging if PAYING in states else or_(_debit.c.state.is_(None), _debit.c.state.in_((BARRED, FAILED)))
    query = query.outerjoin_from(orders, _debit, and_(_debit.c.order_id == _ROW.order_id, _debit.c.step == DEBIT))
    return query.where(or_(_ROW.state != OrderState.CREATED.value, wanted))
