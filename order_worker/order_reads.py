"""Reads of order rows for people."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_states import SOLD_STATES, OrderState
from kernel.payment_steps import BARRED, DEBIT, FAILED, UNBOOK
from kernel.schema import offer, orders, payment_step
from meshkit.db.errors import database_answers
from order_worker.order_filter import OrderFilter
from order_worker.order_history import page_ids

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order's row. `paying`: a debit was begun, and the row has not heard of its outcome; `debited`: one was begun.
    `cancelling`: sold, and asked to be taken back."""

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
    debited: bool = False
    cancelling: bool = False

    @property
    def shown(self) -> str:
        """The state on the wire."""
        return "PAYING" if self.paying else self.state.value


@dataclass(frozen=True, slots=True)
class OfferView:
    """What an order is of, before it has a row; the same for the life of the offer."""

    sale_id: str
    sku: str
    price_minor: int
    currency: str


_NAMES = [name for name in OrderView.__dataclass_fields__ if name in orders.c]
_debit, _unbook = payment_step.alias("debit_step"), payment_step.alias("unbook_step")
_steps = (
    _debit.c.state.label("debit"),
    _unbook.c.state.label("unbook"),
    _unbook.c.reason.label("unbook_reason"),
)
_QUERY = select(*(orders.c[name] for name in _NAMES), *_steps).select_from(
    orders.outerjoin(_debit, and_(_debit.c.order_id == orders.c.order_id, _debit.c.step == DEBIT)).outerjoin(
        _unbook, and_(_unbook.c.order_id == orders.c.order_id, _unbook.c.step == UNBOOK)
    )
)


class OrderReads:
    """Raises DependencyUnavailable("database") when it does not answer within SECONDS."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._offers: dict[int, OfferView] = {}

    async def one(self, order_id: str) -> OrderView | None:
        found = await self._read(_QUERY.where(orders.c.order_id == order_id))
        return found[0] if found else None

    async def some(self, order_ids: Collection[str], since_ms: int = 0) -> list[OrderView]:
        """Those that have a row and, with `since_ms`, whose row, debit or cancel was written then or later."""
        query = _QUERY.where(orders.c.order_id.in_(order_ids))
        if since_ms:
            stamps = (orders.c.updated_ms, _debit.c.updated_ms, _unbook.c.updated_ms)
            query = query.where(or_(*(stamp >= since_ms for stamp in stamps)))
        return await self._read(query)

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

    async def newest(self, user_id: str, before: str, count: int, which: OrderFilter) -> list[OrderView]:
        """The user's orders, newest first, at most `count`; `before` is an order_id, or empty to begin."""
        page = page_ids(user_id, before, count, which).subquery("page")
        query = _QUERY.join(page, page.c.order_id == orders.c.order_id)
        return await self._read(query.order_by(orders.c.order_id.desc()))

    async def _read(self, query: Any) -> list[OrderView]:
        with database_answers():
            async with asyncio.timeout(SECONDS), self._engine.connect() as connection:
                return [_view(row) for row in await connection.execute(query)]


def _view(row: Any) -> OrderView:
    values = {name: getattr(row, name) for name in _NAMES}
    state = OrderState(row.state)
    paying = state is OrderState.CREATED and row.debit not in (None, BARRED, FAILED)
    sold, asked = state in SOLD_STATES, row.unbook is not None
    values["reason"] = f"not cancelled: {row.unbook_reason}" if sold and row.unbook == FAILED else row.reason
    return OrderView(
        **values | {"state": state, "paying": paying},
        debited=row.debit not in (None, BARRED),
        cancelling=sold and asked and row.unbook != FAILED,
    )
