"""What was bought, and what products are called. Read-only: orders are order_worker's, products the governor's."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_states import OPEN_STATES, SOLD_STATES
from kernel.schema import orders, product
from meshkit.db.errors import database_answers

SECONDS = 1.0
TRAINING_SECONDS = 30.0
# Of one buyer: the newest tell more, and a reseller's thousands would not.
MOST_OF_ONE = 200
_SOLD = sorted(state.value for state in SOLD_STATES)
_TAKEN = sorted(state.value for state in SOLD_STATES | OPEN_STATES)


@dataclass(frozen=True, slots=True)
class Product:
    sku: str
    name: str
    price_minor: int
    currency: str


class Purchases:
    """Every read raises DependencyUnavailable where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def newest_ms(self) -> int:
        """When an order moved last; 0 where there is none."""
        [(newest,)] = await self._read(select(func.max(orders.c.updated_ms)), SECONDS)
        return int(newest or 0)

    async def latest(self, count: int) -> list[tuple[str, str]]:
        """(user_id, sku) of the latest orders that were paid."""
        query = select(orders.c.user_id, orders.c.sku).where(orders.c.state.in_(_SOLD))
        found = await self._read(query.order_by(orders.c.updated_ms.desc()).limit(count), TRAINING_SECONDS)
        return [(user, sku) for user, sku in found]

    async def of(self, user_id: str) -> list[str]:
        """SKUs the user has bought or is buying, the newest first."""
        query = select(orders.c.sku).where(orders.c.user_id == user_id, orders.c.state.in_(_TAKEN))
        found = await self._read(query.order_by(orders.c.order_id.desc()).limit(MOST_OF_ONE), SECONDS)
        return list(dict.fromkeys(sku for (sku,) in found))

    async def products(self, skus: Collection[str]) -> dict[str, Product]:
        if not skus:
            return {}
        columns = (product.c.sku, product.c.name, product.c.price_minor, product.c.currency)
        found = await self._read(select(*columns).where(product.c.sku.in_(sorted(skus))), SECONDS)
        return {row[0]: Product(*row) for row in found}

    async def _read(self, query: Select[Any], seconds: float) -> list[Any]:
        with database_answers():
            async with asyncio.timeout(seconds), self._engine.connect() as connection:
                return list((await connection.execute(query)).all())
