"""When each order of a sale was accepted, written and settled, as the database has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel import schema
from kernel.order_states import OrderState


@dataclass(frozen=True)
class OrderTimes:
    """Unix milliseconds; `ended_ms` of TO_SHIP."""

    order_id: str
    accepted_ms: int
    created_ms: int
    ended_ms: int


async def settled_orders(engine: AsyncEngine, sale_id: str) -> list[OrderTimes]:
    orders = schema.orders.c
    columns = (orders.order_id, orders.accepted_ms, orders.created_ms, orders.updated_ms)
    query = select(*columns).where(orders.sale_id == sale_id, orders.state == OrderState.TO_SHIP)
    async with engine.connect() as connection:
        return [OrderTimes(*row) for row in await connection.execute(query)]


def stages(times: Sequence[OrderTimes]) -> Mapping[str, list[float]]:
    """Milliseconds in the queue, and from the row to TO_SHIP."""
    found: dict[str, Any] = {
        "queue": [each.created_ms - each.accepted_ms for each in times],
        "settle": [each.ended_ms - each.created_ms for each in times],
    }
    return found
