"""GetSellerAnalytics on the database: against a recomputation row by row, by its indexes, and shed before it hurts."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects import mysql

from kernel.schema import orders, product
from meshkit.errors import InvalidFields, Overloaded, RoleRequired
from meshkit.identity import Role, TokenIssuer
from meshkit.money import to_minor
from meshkit.rpc.client import call, channel
from order_worker.sales_reads import MOST_SKUS, SalesReads, analytics_database, by_hour, by_sku
from order_worker.serve_app import running
from peakmesh.order.v1 import order_service_pb2 as api
from peakmesh.order.v1 import order_service_pb2_grpc as rpc
from tests.integration.order_worker.sold_orders import sold_rows
from tests.integration.order_worker.world import World, serving_settings
from tools.devstack.spec import Mesh

SEED = 11
HOUR_MS = 3_600_000
START_MS = 472_223 * HOUR_MS + 1_234_567
ROWS, STEP_MS = 600, 157_000  # about 26 hours
SOLD = ("PAID", "TO_SHIP")
Key = tuple[Any, str]
Told = dict[Key, tuple[int, int, int, int | None, int, int]]


class Seller:
    def __init__(self, stub: Any, issuer: TokenIssuer) -> None:
        self._stub, self._issuer = stub, issuer

    async def ask(self, seller: str, role: Role = Role.SELLER, **fields: Any) -> api.GetSellerAnalyticsResponse:
        metadata = (("authorization", f"Bearer {self._issuer.issue(seller, role)}"),)
        request = api.GetSellerAnalyticsRequest(**fields)
        answer: api.GetSellerAnalyticsResponse = await call(
            self._stub.GetSellerAnalytics, request, timeout=5, dependency="order_worker", metadata=metadata
        )
        return answer


@pytest.fixture
async def seller(own_mesh: Mesh) -> AsyncIterator[Seller]:
    settings = serving_settings(own_mesh)
    async with running(settings) as port, channel(f"127.0.0.1:{port}") as opened:
        stub: Any = rpc.OrderServiceStub(opened)
        yield Seller(stub, TokenIssuer(settings.identity_dir))


async def goods(world: World, seller_id: str, count: int) -> list[str]:
    """SKUs of a seller."""
    skus = [f"{seller_id}-{number}" for number in range(count)]
    async with world.engine.begin() as connection:
        last = await connection.scalar(select(func.max(product.c.product_no))) or 0
        same = {"price_version": 1, "price_minor": 1, "currency": "EUR", "weight_grams": 1, "updated_ms": 1}
        same |= {"seller_id": seller_id, "catalog_version": 1, "unversioned_at": None}
        rows = [{"sku": sku, "name": sku, "product_no": last + n + 1} | same for n, sku in enumerate(skus)]
        await connection.execute(insert(product), rows)
    return skus


async def two_sellers(world: World) -> tuple[str, list[dict[str, Any]]]:
    """(seller, all their orders); as many of another's are in between."""
    print("seed", SEED)
    seller_id = f"s{uuid4().hex[:10]}"
    mine, others = await goods(world, seller_id, 5), await goods(world, f"{seller_id}x", 5)
    rows = sold_rows(random.Random(SEED), ROWS, [*mine, *others], START_MS, STEP_MS)
    async with world.engine.begin() as connection:
        await connection.execute(insert(orders), rows)
    return seller_id, [row for row in rows if row["sku"] in mine]


def recomputed(rows: Sequence[dict[str, Any]], key: Any) -> Told:
    """Row by row, in Python's integers: revenue, orders, units, average, payment failures, refunds."""
    groups: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[key(row), row["currency"]].append(row)
    return {key: _figures(group) for key, group in groups.items()}


def _figures(rows: list[dict[str, Any]]) -> tuple[int, int, int, int | None, int, int]:
    sold = [row for row in rows if row["state"] in SOLD]
    revenue = sum(row["unit_price_minor"] * row["quantity"] - row["discount_minor"] for row in sold)
    average = int(revenue / len(sold) + 0.5) if sold else None
    states = [row["state"] for row in rows]
    units = sum(row["quantity"] for row in sold)
    return revenue, len(sold), units, average, states.count("PAYMENT_FAILED"), states.count("REFUNDED")


def told(figures: Any) -> tuple[int, int, int, int | None, int, int]:
    average = to_minor(figures.average_order_value) if figures.HasField("average_order_value") else None
    counts = figures.payment_failures, figures.refunds
    return to_minor(figures.revenue), figures.orders, figures.units, average, *counts


def at(ms: int) -> Timestamp:
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


@pytest.mark.parametrize(("begin", "end"), [(0, ROWS), (100, 500), (250, 251)])
async def test_the_figures_are_those_of_the_rows(world: World, seller: Seller, begin: int, end: int) -> None:
    who, rows = await two_sellers(world)
    low, high = START_MS + begin * STEP_MS, START_MS + end * STEP_MS
    answer = await seller.ask(who, from_time=at(low), until_time=at(high))
    rows = [row for row in rows if low <= row["accepted_ms"] < high]
    currency = "currency_code"
    hours = {
        (each.start_time.seconds, getattr(each.figures.revenue, currency)): told(each.figures) for each in answer.hours
    }
    assert hours == recomputed(rows, lambda row: row["accepted_ms"] // HOUR_MS * 3600)
    skus = {(each.sku, getattr(each.figures.revenue, currency)): told(each.figures) for each in answer.skus}
    assert skus == recomputed(rows, lambda row: row["sku"])
    totals = {("", getattr(each.revenue, currency)): told(each) for each in answer.totals}
    assert totals == recomputed(rows, lambda _: "")
    assert [each.start_time.seconds for each in answer.hours] == sorted(
        each.start_time.seconds for each in answer.hours
    )
    revenues = [to_minor(each.figures.revenue) for each in answer.skus]
    assert revenues == sorted(revenues, reverse=True)


async def test_unasked_it_is_the_last_day(world: World, seller: Seller) -> None:
    answer = await seller.ask("nobody")
    assert answer.until_time.seconds - answer.from_time.seconds == 86_400
    assert [*answer.totals, *answer.hours, *answer.skus] == []
    assert not answer.more_skus


async def test_a_seller_of_many_goods_is_told_that_there_are_more(world: World, seller: Seller) -> None:
    who = f"s{uuid4().hex[:10]}"
    skus = await goods(world, who, MOST_SKUS + 20)
    rows = [
        row | {"sku": sku, "currency": "EUR"}
        for sku, row in zip(skus, sold_rows(random.Random(SEED), len(skus), [""], START_MS, 1), strict=True)
    ]
    async with world.engine.begin() as connection:
        await connection.execute(insert(orders), rows)
    answer = await seller.ask(who, from_time=at(START_MS), until_time=at(START_MS + HOUR_MS))
    assert (len(answer.skus), answer.more_skus) == (MOST_SKUS, True)
    assert {("", "EUR"): told(answer.totals[0])} == recomputed(rows, lambda _: "")


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.SELLER}))
async def test_others_are_refused(seller: Seller, role: Role) -> None:
    with pytest.raises(RoleRequired):
        await seller.ask("ana", role)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"from_time": at(5000), "until_time": at(5000)}, "from_time"),
        ({"from_time": at(0), "until_time": at(31 * 24 * HOUR_MS + 1)}, "from_time"),
        ({"from_time": Timestamp(seconds=1 << 62)}, "from_time"),
        ({"until_time": Timestamp(nanos=-1)}, "until_time"),
    ],
)
async def test_a_span_that_cannot_be_is_named(seller: Seller, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        await seller.ask("ana", **fields)
    assert {field for field, _ in raised.value.violations} == {named}


@pytest.mark.parametrize("query", [by_hour, by_sku])
async def test_both_queries_go_by_seller_and_then_by_sku_and_time(world: World, query: Any) -> None:
    who, _ = await two_sellers(world)
    asked = query(who, START_MS, START_MS + 10 * STEP_MS)
    words = asked.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True})
    async with world.engine.connect() as connection:
        plan = [row._mapping for row in await connection.execute(text(f"EXPLAIN {words}"))]
    assert {row["table"]: row["key"] for row in plan} == {"product": "product_seller", "orders": "orders_sku_accepted"}


async def test_the_database_itself_ends_what_takes_too_long(own_mesh: Mesh) -> None:
    async with analytics_database(own_mesh.settings.database, 1) as engine:
        reads = SalesReads(engine)
        with pytest.raises(Overloaded) as raised:
            async with asyncio.timeout(3):
                await reads.ended_in_time(lambda connection: connection.execute(text("SELECT SLEEP(4)")))
    assert raised.value.retry_after == 10.0
