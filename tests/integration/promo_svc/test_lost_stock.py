"""A voucher that Redis forgot together with the stock: what is in Kafka yet is in no row, so nothing is counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import delete, insert, update

from kernel.offers import Offer
from kernel.schema import offer, sale
from kernel.stock import keys
from meshkit.errors import DependencyUnavailable
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
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


async def stays_closed(world: World, code: str) -> None:
    """Whatever upkeep tries, three turns long."""
    before = put_off()
    await eventually(lambda: put_off() >= before + 3)
    assert not await world._is_open(code)
    with pytest.raises(DependencyUnavailable, match="not known yet"):
        await world.quote(code)


async def test_it_stays_closed_until_the_stock_is_whole_again(world: World) -> None:
    code = world.voucher(budget_grants=2)
    async with world.promotions(), lost_offer(world) as lost:
        await world.forget(code)
        await stays_closed(world, code)
        # Of another epoch than SQL's it is no better than none.
        await world.stock.open_offer(replace(lost, epoch=2), 9, 0, 0)
        await stays_closed(world, code)
        await world.redis.delete(keys.stock(lost.offer_no, 0))
        await world.stock.open_offer(lost, 9, 0, 0)
        await eventually(lambda: world._is_open(code))


async def test_a_budget_holds_over_the_queue_of_a_closed_sale(world: World) -> None:
    """A sale whose hours are over is closed by itself, with its stock lost and its orders in Kafka."""
    code = world.voucher(budget_grants=1)
    async with world.promotions(), lost_offer(world) as lost:
        queued = world.order_id()
        assert (await world.quote(code, "ana", queued)).state == pb.PROMOTION_STATE_APPLIED
        async with world.engine.begin() as connection:
            await connection.execute(update(sale).where(sale.c.sale_id == lost.sale_id).values(state="CLOSED"))
        await world.forget(code)
        await stays_closed(world, code)
        # order_worker came to it, and then to the markers of a rebuild, which made the stock whole.
        await world.write("CREATED", [queued], code)
        await world.stock.open_offer(lost, 9, 0, 0)
        await eventually(lambda: world._is_open(code))
        assert (await world.quote(code, "bob")).state == pb.PROMOTION_STATE_REFUSED
        await world.tell("PAID", [queued])
        await world.becomes(code, held=0, committed=1)
