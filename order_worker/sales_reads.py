"""What a seller's goods brought in, added up by the database."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, case, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.order_states import SOLD_STATES, OrderState
from kernel.schema import orders, product
from meshkit.db.engine import database
from meshkit.db.errors import database_answers, error_number
from meshkit.errors import Overloaded

T = TypeVar("T")
HOUR_MS = 3_600_000
MOST_SKUS = 500
# What is ended by the database itself: a client that gives up does not stop a query.
LIMIT_MS = 1_500
# MySQL and TiDB read it in the query; to MariaDB that is a comment, it is told once a connection in what to the others
# is one.
_MARIADB_LIMIT = f"SET @told = 1 /*M!, SESSION max_statement_time = {LIMIT_MS / 1000} */"
_MYSQL_LIMIT = f"/*+ MAX_EXECUTION_TIME({LIMIT_MS}) */"
_TIME_LIMIT_ERRORS = frozenset({1969, 3024})


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one currency. `revenue_minor` and `units` are of the `orders` that are PAID or TO_SHIP."""

    currency: str
    revenue_minor: int
    orders: int
    units: int
    payment_failures: int
    refunds: int

    def __add__(self, other: "Figures") -> "Figures":
        sums = (getattr(self, name) + getattr(other, name) for name in _NUMBERS)
        return Figures(self.currency, *sums)


_NUMBERS = tuple(Figures.__dataclass_fields__)[1:]


@dataclass(frozen=True, slots=True)
class Sales:
    """Each hour by its beginning in Unix milliseconds, oldest first; each SKU, highest revenue first."""

    hours: list[tuple[int, Figures]]
    skus: list[tuple[str, Figures]]
    more_skus: bool


def _count(*states: OrderState) -> ColumnElement[Any]:
    return _sum_in(states, 1)


def _sum_in(states: Any, value: Any) -> ColumnElement[Any]:
    named = sorted(state.value for state in states)
    return func.sum(case((orders.c.state.in_(named), value), else_=0))


_GOODS = orders.c.quantity * orders.c.unit_price_minor - orders.c.discount_minor
_REVENUE = _sum_in(SOLD_STATES, _GOODS).label("revenue")
_FIGURES = (
    orders.c.currency,
    _REVENUE,
    _count(*SOLD_STATES).label("sold_orders"),
    _sum_in(SOLD_STATES, orders.c.quantity).label("units"),
    _count(OrderState.PAYMENT_FAILED).label("payment_failures"),
    _count(OrderState.REFUNDED).label("refunds"),
)
_HOUR = orders.c.accepted_ms.op("DIV")(literal_column(str(HOUR_MS))).label("hour")


def _of_seller(seller_id: str, from_ms: int, until_ms: int, key: Any) -> Select[Any]:
    """One row a `key` and currency."""
    query = select(key, *_FIGURES).prefix_with(_MYSQL_LIMIT)
    query = query.select_from(product.join(orders, orders.c.sku == product.c.sku))
    mine = (product.c.seller_id == seller_id, orders.c.accepted_ms >= from_ms, orders.c.accepted_ms < until_ms)
    return query.where(*mine)


def by_hour(seller_id: str, from_ms: int, until_ms: int) -> Select[Any]:
    query = _of_seller(seller_id, from_ms, until_ms, _HOUR)
    return query.group_by(_HOUR, orders.c.currency).order_by(_HOUR, orders.c.currency)


def by_sku(seller_id: str, from_ms: int, until_ms: int) -> Select[Any]:
    query = _of_seller(seller_id, from_ms, until_ms, orders.c.sku)
    query = query.group_by(orders.c.sku, orders.c.currency)
    return query.order_by(_REVENUE.desc(), orders.c.sku, orders.c.currency).limit(MOST_SKUS + 1)


class SalesReads:
    """Raises Overloaded where the database ends a query for its time, DependencyUnavailable("database")."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, seller_id: str, from_ms: int, until_ms: int) -> Sales:
        """Both halves are of one snapshot."""

        async def read(connection: AsyncConnection) -> Sales:
            hours = await _rows(connection, by_hour(seller_id, from_ms, until_ms))
            skus = await _rows(connection, by_sku(seller_id, from_ms, until_ms))
            beginnings = [(hour * HOUR_MS, figures) for hour, figures in hours]
            return Sales(beginnings, skus[:MOST_SKUS], len(skus) > MOST_SKUS)

        return await self.ended_in_time(read)

    async def ended_in_time(self, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with database_answers():
            try:
                async with self._engine.connect() as connection:
                    await connection.execution_options(isolation_level="REPEATABLE READ")
                    return await read(connection)
            except DBAPIError as error:
                if error_number(error) in _TIME_LIMIT_ERRORS:
                    raise Overloaded("this takes too long now: ask for less time", retry_after=10.0) from error
                raise


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[tuple[Any, Figures]]:
    """The database's sums are DECIMAL."""
    found = await connection.execute(query)
    return [(key, Figures(currency, *map(int, numbers))) for key, currency, *numbers in found]


def analytics_database(url: str, most: int) -> AbstractAsyncContextManager[AsyncEngine]:
    """`most` connections of their own, on which the database ends a query after LIMIT_MS."""
    return database(url, pool_size=most, max_overflow=0, first_statement=_MARIADB_LIMIT)
