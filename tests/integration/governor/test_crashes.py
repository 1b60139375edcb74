"""A governor that dies between SQL and Redis, and the one that comes after it."""

import asyncio
from uuid import uuid4

import pytest

from governor.app import running
from governor.settings import Settings
from kernel.offers import OFFERS_KEY, load_offers
from kernel.stock import keys
from kernel.stock.results import ReserveKind
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.governor.doom import ask_and_die
from tests.integration.governor.operators import Desk, closing, desk_at, free_base, opening, setting, settings_for
from tests.polling import eventually
from tools import devstack


@pytest.mark.parametrize("point", ["after_sale_row", "after_sale_counters"])
async def test_a_sale_half_opened_is_opened_by_the_next_governor(
    desk: Desk, doomed: Settings, data_servers: devstack.Mesh, point: str
) -> None:
    [sku] = await desk.new_skus()
    request = opening(sku, units=7, request_id=str(uuid4()))
    await ask_and_die(doomed, point, "OpenSale", request)
    [offer] = await desk.rows("SELECT sale_id, offer_no FROM offer WHERE sku = :sku", sku=sku)

    async def is_open() -> bool:
        sale = await desk.sale(offer.sale_id)
        return sale.state == pb.SALE_STATE_OPEN and sale.offers[0].redis.available == 7

    await eventually(is_open)
    await eventually(lambda: published(desk, offer.sale_id, sku))
    again = await desk.ask("OpenSale", request)
    assert (again.sale.sale_id, again.sale.state) == (offer.sale_id, pb.SALE_STATE_OPEN)


async def published(desk: Desk, sale_id: str, sku: str) -> bool:
    return (sale_id, sku) in await load_offers(desk.redis)


async def test_a_sale_half_closed_is_closed_by_the_next_governor(desk: Desk, doomed: Settings) -> None:
    sale = await desk.new_sale()
    await ask_and_die(doomed, "after_close_row", "CloseSale", closing(sale))

    async def is_closed() -> bool:
        return await desk.reserve(sale.offers[0], 1) is ReserveKind.NOT_OPEN

    await eventually(is_closed)
    assert (await desk.sale(sale.sale_id)).state == pb.SALE_STATE_CLOSED


@pytest.mark.parametrize(("point", "units", "after"), [("after_stock_row", 15, 15), ("after_stock_lowered", 4, 10)])
async def test_stock_half_set_ends_equal_on_both_sides(
    desk: Desk, doomed: Settings, point: str, units: int, after: int
) -> None:
    """Raised: SQL had it, Redis follows. Lowered: SQL never had it, so Redis takes its units back."""
    sale = await desk.new_sale(units=10)
    await ask_and_die(doomed, point, "SetStock", setting(sale, units))

    async def agree() -> bool:
        offer = (await desk.sale(sale.sale_id)).offers[0]
        return offer.units == offer.redis.available == after

    await eventually(agree)
    assert (await desk.ask("SetStock", setting(sale, units))).offer.redis.available == units


async def test_the_registry_is_published_again_and_lost_counters_are_not(desk: Desk) -> None:
    sale, other = await desk.new_sale(), await desk.new_sale()
    [offer] = sale.offers
    await desk.redis.delete(keys.stock(offer.offer_no, 0))
    await desk.redis.hdel(OFFERS_KEY, f"{sale.sale_id}|{offer.sku}", f"{other.sale_id}|{other.offers[0].sku}")
    await eventually(lambda: published(desk, sale.sale_id, offer.sku))
    await eventually(lambda: published(desk, other.sale_id, other.offers[0].sku))
    # Full stock over what was sold before the loss would be sold twice: only a rebuild may write it.
    assert await desk.stock.counters(offer.offer_no, 0) is None
    assert (await desk.sale(sale.sale_id)).offers[0].redis == pb.StockCounters()
    assert (await desk.ask("CloseSale", closing(sale))).sale.state == pb.SALE_STATE_CLOSED


async def test_two_governors_take_turns(desk: Desk, data_servers: devstack.Mesh) -> None:
    second = settings_for(data_servers, free_base())
    async with running(second) as port, desk_at(second, port) as other:
        sale = await desk.new_sale(units=10)
        wanted = [(desk, 30), (other, 5), (desk, 12), (other, 44)]
        await asyncio.gather(*(who.ask("SetStock", setting(sale, units)) for who, units in wanted))
        offer = (await desk.sale(sale.sale_id)).offers[0]
        assert offer.units in {units for _, units in wanted}
        assert offer.redis.available == offer.database.available == offer.units
