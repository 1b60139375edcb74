"""Orders, counters, steps and prices as the database has them, in one snapshot."""

from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel import schema
from tools.audit.facts import Database, OfferRow, OrderRow, StepRow

_OFFER = [schema.offer.c[name] for name in OfferRow.__dataclass_fields__]
_ORDER = [schema.orders.c[name] for name in OrderRow.__dataclass_fields__]
_STEP = [schema.payment_step.c[name] for name in StepRow.__dataclass_fields__]


async def read_database(engine: AsyncEngine, sale_id: str | None) -> tuple[Database, dict[int, int]]:
    """One sale's facts, or all; and the number of buckets of each offer."""
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            return await _read(connection, sale_id)


async def read_moved(engine: AsyncEngine, since_ms: int) -> frozenset[str]:
    """Orders whose rows have moved since then."""
    query = select(schema.orders.c.order_id).where(schema.orders.c.updated_ms >= since_ms)
    async with engine.connect() as connection:
        return frozenset((await connection.execute(query)).scalars())


async def _read(connection: AsyncConnection, sale_id: str | None) -> tuple[Database, dict[int, int]]:
    offers = [OfferRow(*row) for row in await _select(connection, _OFFER, schema.offer, sale_id)]
    orders = [OrderRow(*row) for row in await _select(connection, _ORDER, schema.orders, sale_id)]
    buckets = await _select(connection, [schema.offer.c.offer_no, schema.offer.c.buckets], schema.offer, sale_id)
    steps = select(*_STEP)
    if sale_id is not None:
        mine = schema.orders.c.order_id == schema.payment_step.c.order_id
        steps = steps.select_from(schema.payment_step.join(schema.orders, mine))
        steps = steps.where(schema.orders.c.sale_id == sale_id)
    prices = schema.product_price.c
    priced = await connection.execute(select(prices.sku, prices.price_version, prices.price_minor))
    database = Database(
        offers=offers,
        orders={order.order_id: order for order in orders},
        steps=[StepRow(*row) for row in await connection.execute(steps)],
        prices={(sku, version): minor for sku, version, minor in priced},
    )
    return database, {row.offer_no: row.buckets for row in buckets}


async def _select(connection: AsyncConnection, columns: Any, table: Table, sale_id: str | None) -> Any:
    query = select(*columns)
    return await connection.execute(query if sale_id is None else query.where(table.c.sale_id == sale_id))
