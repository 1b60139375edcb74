"""The migrated database is the one that schema.py describes, and refuses what must never be."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kernel.migrate import upgrade
from kernel.order_ids import new_order_id
from kernel.schema import metadata, offer, orders, payment_step, stock_epoch

OFFER = {
    "sale_id": "sale-1",
    "sku": "sku-1",
    "initial": 5,
    "unit_limit": 2,
    "price_minor": 1999,
    "currency": "EUR",
    "price_version": 1,
    "unit_weight_grams": 250,
    "state": "OPEN",
    "opens_ms": 0,
    "closes_ms": 0,
    "epoch": 1,
}


def order(**changed: Any) -> dict[str, Any]:
    return {
        "order_id": new_order_id(7, 0),
        "offer_no": 7,
        "sale_id": "sale-1",
        "sku": "sku-1",
        "user_id": "ann",
        "request_id": str(uuid.uuid4()),
        "request_hash": "h1",
        "quantity": 1,
        "unit_price_minor": 1999,
        "price_version": 1,
        "currency": "EUR",
        "unit_weight_grams": 250,
        "address": '{"city": "Köln 🚚"}',
        "state": "CREATED",
        "epoch": 1,
        "accepted_ms": 1,
        "created_ms": 1,
        "updated_ms": 1,
        "deadline_ms": 1,
    } | changed


@pytest.fixture
async def engine(scratch: str) -> AsyncIterator[AsyncEngine]:
    """A database of the test's own, migrated twice: the second run finds nothing to do."""
    inside = create_async_engine(scratch)
    try:
        await upgrade(scratch)
        await upgrade(scratch)
        yield inside
    finally:
        await inside.dispose()


async def test_the_migrated_schema_is_the_declared_one(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    def checks(connection: Connection) -> set[str]:
        query = "SELECT constraint_name FROM information_schema.check_constraints WHERE constraint_schema = DATABASE()"
        return {name for (name,) in connection.execute(text(query))}

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        # Alembic does not compare CHECKs.
        assert {"offer_conserved", "orders_quantity", "stock_epoch_single"} <= await connection.run_sync(checks)
        assert await connection.scalar(select(stock_epoch.c.epoch)) == 1


async def test_the_database_cannot_be_oversold(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(offer).values(OFFER))
    for values in ({"reserved": 3, "sold": 3}, {"reserved": -1}, {"sold": -1}, {"initial": -1}):
        with pytest.raises(DBAPIError, match="offer_conserved"):
            async with engine.begin() as connection:
                await connection.execute(update(offer).values(values))
    async with engine.begin() as connection:
        await connection.execute(update(offer).values(reserved=3, sold=2))
        assert (await connection.execute(select(offer.c.reserved, offer.c.sold))).one() == (3, 2)


async def test_a_request_id_has_one_order_and_duplicates_keep_none(engine: AsyncEngine) -> None:
    first = order()
    async with engine.begin() as connection:
        await connection.execute(insert(orders).values(first))
    with pytest.raises(IntegrityError, match="orders_request"):
        async with engine.begin() as connection:
            await connection.execute(insert(orders).values(order(request_id=first["request_id"])))
    rejected = [order(request_id=None, state="REJECTED_DUPLICATE") for _ in range(2)]
    async with engine.begin() as connection:
        await connection.execute(insert(orders), rejected)
        found = (await connection.execute(select(orders.c.state, orders.c.address, orders.c.voucher_code))).all()
    assert sorted(row.state for row in found) == ["CREATED", "REJECTED_DUPLICATE", "REJECTED_DUPLICATE"]
    assert {(row.address, row.voucher_code) for row in found} == {('{"city": "Köln 🚚"}', "")}


async def test_ids_are_told_apart_by_case(engine: AsyncEngine) -> None:
    request_id = str(uuid.uuid4())
    async with engine.begin() as connection:
        for user in ("ann", "Ann"):
            await connection.execute(insert(orders).values(order(user_id=user, request_id=request_id)))
        found = (await connection.execute(select(orders.c.user_id).where(orders.c.user_id == "ANN"))).all()
    assert found == []


async def test_the_first_to_insert_a_step_wins(engine: AsyncEngine) -> None:
    order_id = new_order_id(7, 0)
    step = {
        "order_id": order_id,
        "step": "debit",
        "idempotency_key": f"{order_id}:debit",
        "state": "STARTED",
        "currency": "EUR",
        "deadline_ms": 1,
        "created_ms": 1,
        "updated_ms": 1,
    }
    async with engine.begin() as connection:
        await connection.execute(insert(payment_step).values(step))
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(insert(payment_step).values(step | {"state": "BARRED"}))
    async with engine.connect() as connection:
        assert await connection.scalar(select(payment_step.c.state)) == "STARTED"
