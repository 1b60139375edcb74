"""What the database says of orders that carry a voucher. Read-only: the rows are order_worker's."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_states import OPEN_STATES, SOLD_STATES, OrderState
from kernel.payment_steps import REFUND
from kernel.schema import orders, payment_step
from meshkit.db.errors import database_answers

SECONDS = 30.0
_HOLDING = [state.value for state in OPEN_STATES | SOLD_STATES]
# The step is stored before REFUNDED is told; the row becomes REFUNDED after, by a consumer that this one may overtake.
_GIVEN_BACK = exists().where(payment_step.c.order_id == orders.c.order_id, payment_step.c.step == REFUND)
_COLUMNS = (orders.c.order_id, orders.c.user_id, orders.c.voucher_code, orders.c.discount_minor, orders.c.state)
_QUERY = select(*_COLUMNS, _GIVEN_BACK.label("given_back"))


@dataclass(frozen=True, slots=True)
class OrderRow:
    """`code` is empty where the order was sold at list price. `given_back`: its refund has begun, or is done."""

    order_id: str
    user_id: str
    code: str
    discount_minor: int
    state: OrderState
    given_back: bool = False


class OrderRows:
    """Every read raises DependencyUnavailable where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, order_ids: Collection[str]) -> dict[str, OrderRow]:
        found = await self._read(_QUERY.where(orders.c.order_id.in_(sorted(order_ids)))) if order_ids else []
        return {row.order_id: row for row in found}

    async def holding(self, code: str) -> list[OrderRow]:
        """Orders open or paid that carry `code`: reads the whole table, for a voucher that Redis does not know."""
        return await self._read(_QUERY.where(orders.c.voucher_code == code, orders.c.state.in_(_HOLDING)))

    async def _read(self, query: Select[Any]) -> list[OrderRow]:
        with database_answers():
            async with asyncio.timeout(SECONDS), self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        return [
            OrderRow(order, user, code, minor, OrderState(state), bool(back))
            for order, user, code, minor, state, back in rows
        ]
