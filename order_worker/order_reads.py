"""Reads of order rows for people."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_states import OrderState
from kernel.payment_steps import BARRED, DEBIT, FAILED
from kernel.schema import offer, orders, payment_step
from meshkit.db.errors import database_answers

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order's row. `paying`: a debit was begun, and the row has not heard of its outcome."""

    order_id: str
    user_id: str
    sale_id: str
    sku: str
    quantity: int
    state: OrderState
    reason: str
    unit_price_minor: int
    discount_minor: int
    shipping_minor: int | None
    currency: str
    accepted_ms: int
    updated_ms: int
    deadline_ms: int
    paying: bool


@dataclass(frozen=True, slots=True)
class OfferView:
    """What an order is of, before it has a row; the same for the life of the offer."""

    sale_id: str
    sku: str
    price_minor: int
    currency: str


_NAMES = [name for name in OrderView.__dataclass_fields__ if name != "paying"]
_QUERY = select(*(orders.c[name] for name in _NAMES), payment_step.c.state.label("debit")).select_from(
    orders.outerjoin(payment_step, and_(payment_step.c.order_id == orders.c.order_id, payment_step.c.step == DEBIT))
)


class OrderReads:
    """Raises DependencyUnavailable("database") when it does not answer within SECONDS."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._offers: dict[int, OfferView] = {}

    async def one(self, order_id: str) -> OrderView | None:
        found = await self._read(_QUERY.where(orders.c.order_id == order_id))
        return found[0] if found else None

    async def offer(self, number: int) -> OfferView | None:
        """Remembered: it never changes, and thousands ask about the same one while it is sold."""
        if number not in self._offers:
            query = select(*(offer.c[name] for name in OfferView.__dataclass_fields__)).where(
                offer.c.offer_no == number
            )
            with database_answers():
                async with asyncio.timeout(SECONDS), self._engine.connect() as connection:
                    row = (await connection.execute(query)).one_or_none()
            if row is None:
                return None
            self._offers[number] = OfferView(*row)
        return self._offers[number]

    async def newest(self, user_id: str, before: str, count: int) -> list[OrderView]:
        """The user's orders, newest first, at most `count`; `before` is an order_id, or empty to begin."""
        query = _QUERY.where(orders.c.user_id == user_id)
        if before:
            query = query.where(orders.c.order_id < before)
        return await self._read(query.order_by(orders.c.order_id.desc()).limit(count))

    async def _read(self, query: Any) -> list[OrderView]:
        with database_answers():
            async with asyncio.timeout(SECONDS), self._engine.connect() as connection:
                return [_view(row) for row in await connection.execute(query)]


def _view(row: Any) -> OrderView:
    values = {name: getattr(row, name) for name in _NAMES}
    state = OrderState(row.state)
    paying = state is OrderState.CREATED and row.debit not in (None, BARRED, FAILED)
    return OrderView(**values | {"state": state, "paying": paying})
