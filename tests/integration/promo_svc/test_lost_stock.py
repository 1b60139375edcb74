"""A voucher that Redis forgot together with the stock: what is in Kafka yet is in no row, so nothing is counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import delete, insert

from kernel.offers import Offer
from kernel.schema import offer, sale
from kernel.stock import keys
from meshkit.errors import DependencyUnavailable
from tests.integration.promo_svc.world import World
from tests.polling import eventually


@asynccontextmanager
async def lost_offer(world: World) -> AsyncIterator[Offer]:
    """Of an open sale, in SQL alone."""
    lost = Offer(world.offer_no, f"sale-{uuid4().hex[:12]}", "sku-1", 1_000, "EUR", 1, 1, 1, 1, 9)
    hours = {"opens_ms": 0, "closes_ms": 0}
    row = {"offer_no": lost.offer_no, "sale_id": lost.sale_id, "sku": lost.sku, "initial": 9, "unit_limit": 9}
    row |= {"price_minor": 1_000, "currency": "EUR", "price_version": 1, "unit_weight_grams": 1, "state": "OPEN"}
    async with world.engine.begin() as connection:
        await connection.execute(insert(sale).values(sale_id=lost.sale_id, state="OPEN", created_ms=0, **hours))
        await connection.execute(insert(offer).values(**row, epoch=1, buckets=1, **hours))
    try:
        yield lost
    finally:
        async with world.engine.begin() as connection:
            await connection.execute(delete(sale).where(sale.c.sale_id == lost.sale_id))
            await connection.execute(delete(offer).where(offer.c.offer_no == lost.offer_no))


def put_off() -> float:
    return REGISTRY.get_sample_value("peakmesh_promo_outage_waits_total", {"what": "upkeep"}) or 0


async def test_it_stays_closed_until_the_stock_is_whole_again(world: World) -> None:
    code = world.voucher(budget_grants=2)
    async with world.promotions(), lost_offer(world) as lost:
        await world.forget(code)
        before = put_off()
        await eventually(lambda: put_off() >= before + 3)
        assert not await world._is_open(code)
        with pytest.raises(DependencyUnavailable, match="not known yet"):
            await world.quote(code)
        # Of another epoch than SQL's it is no better than none.
        await world.stock.open_offer(replace(lost, epoch=2), 9, 0, 0)
        before = put_off()
        await eventually(lambda: put_off() >= before + 3)
        assert not await world._is_open(code)
        await world.redis.delete(keys.stock(lost.offer_no, 0))
        await world.stock.open_offer(lost, 9, 0, 0)
        await eventually(lambda: world._is_open(code))
