"""The released build's writes against this build's schema: while a release rolls out both write the same tables.

The statements are the released build's own, as SQL: its columns, not those of kernel/schema.py.
"""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from governor.catalog_table import (
    adopt_products,
    catalog_version,
    changed_products,
    find_products,
    has_unversioned,
    save_products,
)
from governor.sale import Product
from governor.sales_table import read_sale
from kernel.migrate import upgrade
from kernel.order_ids import new_order_id
from kernel.schema import metadata

RELEASED = "0001"
PAST_ALL = 2**31 - 1
ORDER, REJECTED = new_order_id(1, 0), new_order_id(1, 0)

INSERT_PRODUCT = (
    "INSERT INTO product (sku, name, price_version, price_minor, currency, weight_grams, seller_id, updated_ms) "
    "VALUES (:sku, :name, 1, 49900, 'EUR', 180, 'acme', 1)"
)
UPDATE_PRODUCT = (
    "UPDATE product SET name = :name, price_minor = :price, currency = 'EUR', weight_grams = 180, "
    "seller_id = 'acme', price_version = 2, updated_ms = 2 WHERE sku = :sku"
)
INSERT_ORDER = (
    "INSERT INTO orders (order_id, offer_no, sale_id, sku, user_id, request_id, request_hash, quantity, "
    "unit_price_minor, price_version, currency, discount_minor, voucher_code, unit_weight_grams, address, state, "
    "reason, epoch, placed_by, accepted_ms, created_ms, updated_ms, deadline_ms) VALUES (:order_id, 1, 'sale-old', "
    "'phone', 'ana', :request_id, 'hash', 1, 49900, 1, 'EUR', 0, '', 180, '{}', :state, '', 1, '', 1, 1, 1, 9)"
)
INSERT_STEP = (
    "INSERT INTO payment_step (order_id, step, idempotency_key, state, attempt, amount_minor, currency, provider_ref, "
    "reason, deadline_ms, created_ms, updated_ms) VALUES (:order_id, 'debit', 'key', 'STARTED', 0, 49900, 'EUR', '', "
    "'', 9, 1, 1)"
)
# Table by table, what it inserts and how it changes that.
WRITES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "product": [
        (INSERT_PRODUCT, {"sku": "phone", "name": "Phone"}),
        (INSERT_PRODUCT, {"sku": "watch", "name": "Watch"}),
        (UPDATE_PRODUCT, {"sku": "watch", "name": "A better watch", "price": 19_900}),
    ],
    "product_price": [
        (
            (
                "INSERT INTO product_price (sku, price_version, price_minor, currency, created_ms) "
                "VALUES ('phone', 1, 49900, 'EUR', 1)"
            ),
            {},
        )
    ],
    "ops_request": [
        (
            (
                "INSERT INTO ops_request (request_id, method, request_hash, response, who, at_ms) "
                "VALUES (:request_id, 'ImportCatalog', 'hash', '{}', 'olga', 1)"
            ),
            {"request_id": str(uuid4())},
        )
    ],
    "sale": [
        (
            (
                "INSERT INTO sale (sale_id, state, opens_ms, closes_ms, created_ms) "
                "VALUES ('sale-old', 'OPENING', 0, 0, 1)"
            ),
            {},
        ),
        ("UPDATE sale SET state = 'OPEN' WHERE sale_id = 'sale-old' AND state IN ('OPENING')", {}),
    ],
    "offer": [
        (
            (
                "INSERT INTO offer (sale_id, sku, initial, unit_limit, price_minor, currency, price_version, "
                "unit_weight_grams, state, opens_ms, closes_ms, epoch, buckets) "
                "VALUES ('sale-old', 'phone', 10, 2, 49900, 'EUR', 1, 180, 'OPEN', 0, 0, 1, 1)"
            ),
            {},
        ),
        ("UPDATE offer SET reserved = reserved + 1 WHERE offer_no = 1 AND reserved + sold + 1 <= initial", {}),
        ("UPDATE offer SET reserved = reserved + -1, sold = sold + 1 WHERE offer_no = 1", {}),
        ("UPDATE offer SET initial = 9 WHERE offer_no = 1 AND reserved + sold <= 9", {}),
    ],
    "orders": [
        (INSERT_ORDER, {"order_id": ORDER, "request_id": str(uuid4()), "state": "CREATED"}),
        (INSERT_ORDER, {"order_id": REJECTED, "request_id": None, "state": "REJECTED_DUPLICATE"}),
        (
            (
                "UPDATE orders SET state = 'PAID', reason = '', updated_ms = 2, shipping_minor = 490 "
                "WHERE order_id IN (:order_id) AND state = 'CREATED'"
            ),
            {"order_id": ORDER},
        ),
    ],
    "payment_step": [
        (INSERT_STEP, {"order_id": ORDER}),
        (
            f"{INSERT_STEP} ON DUPLICATE KEY UPDATE state = 'DONE', attempt = 1, provider_ref = 'ref', updated_ms = 2",
            {"order_id": ORDER},
        ),
    ],
    "intake_fence": [
        (
            (
                "INSERT INTO intake_fence (partition_no, epoch, fence_offset) VALUES (0, 1, 7) "
                "ON DUPLICATE KEY UPDATE epoch = epoch"
            ),
            {},
        )
    ],
    "stock_epoch": [("UPDATE stock_epoch SET epoch = 1 WHERE id = 1", {})],
}


@pytest.fixture
async def engine(scratch: str) -> AsyncIterator[AsyncEngine]:
    """The released build's database with one product, brought to this build's schema."""
    await upgrade(scratch, RELEASED)
    inside = create_async_engine(scratch)
    try:
        async with inside.begin() as connection:
            assert set(WRITES) | {"alembic_version"} == set(await connection.run_sync(_tables))
            await connection.execute(text(INSERT_PRODUCT), {"sku": "lamp", "name": "Lamp"})
        await upgrade(scratch)
        yield inside
    finally:
        await inside.dispose()


def _tables(connection: Any) -> list[str]:
    return list(inspect(connection).get_table_names())


async def write(engine: AsyncEngine, table: str) -> None:
    for statement, values in WRITES[table]:
        async with engine.begin() as connection:
            done = await connection.execute(text(statement), values)
            assert done.rowcount != 0 or table in ("stock_epoch", "intake_fence")


@pytest.mark.parametrize("table", sorted(WRITES))
async def test_what_the_released_build_writes_is_taken_and_read(engine: AsyncEngine, table: str) -> None:
    await write(engine, table)
    declared: Table = metadata.tables[table]
    async with engine.connect() as connection:
        rows = (await connection.execute(select(declared))).mappings().all()
    assert len(rows) == {"product": 3, "orders": 2}.get(table, 1)
    if table == "orders":
        assert {row["state"] for row in rows} == {"PAID", "REJECTED_DUPLICATE"}
    if table == "payment_step":
        assert [(row["state"], row["provider_ref"]) for row in rows] == [("DONE", "ref")]


async def test_a_sale_of_the_released_build_is_read_whole(engine: AsyncEngine) -> None:
    for table in ("sale", "offer"):
        await write(engine, table)
    async with engine.connect() as connection:
        found = await read_sale(connection, "sale-old")
    [only] = found.offers
    assert (found.state, only.offer.sku, only.initial, only.reserved, only.sold) == ("OPEN", "phone", 9, 0, 1)


async def all_changes(connection: AsyncConnection, after: int = 0) -> list[tuple[str, str, int, int]]:
    """(sku, name, price, version) in the order in which they are published."""
    upto = await catalog_version(connection)
    found = await changed_products(connection, after, PAST_ALL, upto, 100)
    return [(each.sku, each.name, each.price_minor, version) for each, version in found]


async def adopted(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        return await adopt_products(connection)


async def marked(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        return await has_unversioned(connection)


async def test_products_of_the_released_build_reach_search_with_a_version_of_their_own(engine: AsyncEngine) -> None:
    assert await adopted(engine) == 1  # what was there before: since 0002 the older build may have changed it
    assert not await marked(engine)
    async with engine.connect() as connection:
        before = await catalog_version(connection)
    await write(engine, "product")
    assert await marked(engine)
    assert await adopted(engine) == 2
    assert await adopted(engine) == 0
    async with engine.connect() as connection:
        fresh = await all_changes(connection, before)
        assert fresh == [
            ("phone", "Phone", 49_900, before + 1),
            ("watch", "A better watch", 19_900, before + 1),
        ]
        numbers = (await connection.execute(text("SELECT product_no FROM product ORDER BY product_no"))).scalars()
        assert list(numbers) == [1, 2, 3]


async def test_a_change_by_the_released_build_reaches_search_though_it_moves_no_version(engine: AsyncEngine) -> None:
    await adopted(engine)
    async with engine.begin() as connection:
        before = await catalog_version(connection)
        await connection.execute(text(UPDATE_PRODUCT), {"sku": "lamp", "name": "A brighter lamp", "price": 2_990})
        assert await catalog_version(connection) == before
    assert await adopted(engine) == 1
    async with engine.connect() as connection:
        assert await all_changes(connection, before) == [("lamp", "A brighter lamp", 2_990, before + 1)]


def edition(*names: str) -> Sequence[Product]:
    return [Product(name.lower(), name, 49_900, "EUR", 180, "acme") for name in names]


async def test_both_builds_import_in_turn(engine: AsyncEngine) -> None:
    await write(engine, "product")
    now_ms = int(time.time() * 1000)
    async with engine.begin() as connection:
        done = await save_products(connection, edition("Phone", "Chair"), now_ms)
        assert (done.added, done.repriced, done.unchanged) == (1, 0, 1)
    assert not await marked(engine)
    async with engine.begin() as connection:
        await connection.execute(text(UPDATE_PRODUCT), {"sku": "chair", "name": "A chair", "price": 100})
        await connection.execute(text(INSERT_PRODUCT), {"sku": "desk", "name": "Desk"})
    assert await adopted(engine) == 2
    async with engine.begin() as connection:
        known = await find_products(connection, ["chair", "desk", "lamp", "phone", "watch"])
        assert {sku: (each.name, version) for sku, (each, version) in known.items()} == {
            "chair": ("A chair", 2),
            "desk": ("Desk", 1),
            "lamp": ("Lamp", 1),
            "phone": ("Phone", 1),
            "watch": ("A better watch", 2),
        }
        published = await all_changes(connection)
        assert sorted(sku for sku, *_ in published) == sorted(known)
        counted = (await connection.execute(text("SELECT last_product_no FROM catalog"))).scalar_one()
        assert counted == 5
