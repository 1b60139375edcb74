"""Sales on real MariaDB and Redis: open, close, look, set stock."""

import asyncio
from uuid import uuid4

import pytest

from kernel.offers import load_offers
from kernel.stock.results import OfferState, ReserveKind
from meshkit.errors import (
    IllegalState,
    InvalidFields,
    OfferNotFound,
    ProductNotFound,
    RequestIdReused,
    SaleNotFound,
)
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.governor.operators import Desk, closing, opening, setting


async def test_an_open_sale_is_in_sql_in_redis_and_in_the_registry(desk: Desk) -> None:
    sale = await desk.new_sale(units=10, limit=2)
    assert sale.state == pb.SALE_STATE_OPEN
    [offer] = sale.offers
    assert (offer.units, offer.limit_per_user, offer.price_version) == (10, 2, 1)
    assert (offer.unit_price.units, offer.unit_price.nanos) == (12, 500_000_000)
    assert offer.database == offer.redis == pb.StockCounters(available=10)
    assert await desk.sale(sale.sale_id) == sale
    published = (await load_offers(desk.redis))[(sale.sale_id, offer.sku)]
    assert (published.offer_no, published.price_minor, published.unit_weight_grams) == (offer.offer_no, 1250, 300)
    counters = await desk.stock.counters(offer.offer_no, 0)
    assert counters is not None
    assert (counters.state, counters.epoch, counters.unit_limit) == (OfferState.OPEN, published.epoch, 2)
    [row] = await desk.rows("SELECT state FROM sale WHERE sale_id = :id", id=sale.sale_id)
    assert row.state == "OPEN"


async def test_the_same_request_opens_one_sale_and_another_body_is_refused(desk: Desk) -> None:
    [sku] = await desk.new_skus()
    request = opening(sku, request_id=str(uuid4()))
    answers = await asyncio.gather(*(desk.ask("OpenSale", request) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    await desk.ask("SetStock", setting(answers[0].sale, 25))
    assert await desk.ask("OpenSale", request) == answers[0]
    assert (await desk.sale(answers[0].sale.sale_id)).offers[0].redis.available == 25
    rows = await desk.rows("SELECT sale_id FROM offer WHERE sku = :sku", sku=sku)
    assert len(rows) == 1
    with pytest.raises(RequestIdReused):
        await desk.ask("OpenSale", opening(sku, units=11, request_id=request.request_id))
    [journal] = await desk.rows("SELECT * FROM ops_request WHERE request_id = :id", id=request.request_id)
    assert (journal.method, journal.who) == ("OpenSale", "olga")
    assert journal.at_ms > 0


async def test_a_closed_sale_sells_nothing_and_stays_closed(desk: Desk) -> None:
    sale = await desk.new_sale()
    assert await desk.reserve(sale.offers[0], 1) is ReserveKind.RESERVED
    request = closing(sale)
    first = await desk.ask("CloseSale", request)
    assert first.sale.state == pb.SALE_STATE_CLOSED
    assert first.sale.offers[0].redis == pb.StockCounters(available=9, reserved=1)
    assert await desk.reserve(sale.offers[0], 1) is ReserveKind.NOT_OPEN
    assert await desk.ask("CloseSale", request) == first
    assert (await desk.ask("CloseSale", closing(sale))).sale == first.sale
    [row] = await desk.rows("SELECT state FROM sale WHERE sale_id = :id", id=sale.sale_id)
    [offer] = await desk.rows("SELECT state FROM offer WHERE sale_id = :id", id=sale.sale_id)
    assert (row.state, offer.state) == ("CLOSED", "CLOSED")
    with pytest.raises(RequestIdReused):
        await desk.ask("CloseSale", closing(await desk.new_sale(), request.request_id))


async def test_stock_is_raised_and_lowered_on_both_sides(desk: Desk) -> None:
    sale = await desk.new_sale(units=10, limit=5)
    assert await desk.reserve(sale.offers[0], 4) is ReserveKind.RESERVED
    raised = (await desk.ask("SetStock", setting(sale, 12))).offer
    assert (raised.units, raised.redis) == (12, pb.StockCounters(available=8, reserved=4))
    assert raised.database == pb.StockCounters(available=12)
    request = setting(sale, 4)
    lowered = (await desk.ask("SetStock", request)).offer
    assert (lowered.units, lowered.redis) == (4, pb.StockCounters(reserved=4))
    with pytest.raises(IllegalState) as raised_error:
        await desk.ask("SetStock", setting(sale, 3))
    assert raised_error.value.metadata == {"committed": "4"}
    assert (await desk.sale(sale.sale_id)).offers[0] == lowered
    await desk.ask("SetStock", setting(sale, 20))
    assert (await desk.ask("SetStock", request)).offer.units == 20  # a repeat sets nothing anew


async def test_units_the_database_counts_cannot_be_taken_away(desk: Desk) -> None:
    sale = await desk.new_sale(units=10)
    await desk.change("UPDATE offer SET sold = 7 WHERE sale_id = :id", id=sale.sale_id)
    with pytest.raises(IllegalState):
        await desk.ask("SetStock", setting(sale, 6))
    offer = (await desk.sale(sale.sale_id)).offers[0]
    assert (offer.units, offer.redis.available, offer.database.available) == (10, 10, 3)


async def test_settings_at_once_leave_sql_and_redis_equal(desk: Desk) -> None:
    sale = await desk.new_sale(units=10)
    await asyncio.gather(*(desk.ask("SetStock", setting(sale, units)) for units in (30, 5, 22, 8, 41)))
    offer = (await desk.sale(sale.sale_id)).offers[0]
    assert offer.redis.available == offer.database.available == offer.units


async def test_what_is_not_there_is_told_apart(desk: Desk) -> None:
    sale = await desk.new_sale()
    with pytest.raises(SaleNotFound):
        await desk.sale("sale-none")
    with pytest.raises(SaleNotFound):
        await desk.ask("CloseSale", closing(pb.Sale(sale_id="sale-none")))
    elsewhere = setting(sale, 5)
    elsewhere.sku = "another"
    with pytest.raises(OfferNotFound):
        await desk.ask("SetStock", elsewhere)
    request = opening("nowhere")
    with pytest.raises(ProductNotFound) as raised:
        await desk.ask("OpenSale", request)
    assert raised.value.metadata == {"sku": "nowhere"}
    assert await desk.rows("SELECT 1 FROM ops_request WHERE request_id = :id", id=request.request_id) == []


@pytest.mark.parametrize(
    ("method", "request_", "named"),
    [
        ("OpenSale", pb.OpenSaleRequest(), ["request_id", "offers"]),
        ("CloseSale", pb.CloseSaleRequest(sale_id="a{b}"), ["request_id", "sale_id"]),
        ("PauseSale", pb.PauseSaleRequest(), ["request_id", "sale_id"]),
        ("ResumeSale", pb.ResumeSaleRequest(request_id="1"), ["request_id", "sale_id"]),
        ("GetSale", pb.GetSaleRequest(), ["sale_id"]),
        ("SetStock", pb.SetStockRequest(units=-1), ["request_id", "sale_id", "sku", "units"]),
        ("ImportCatalog", pb.ImportCatalogRequest(), ["request_id", "products"]),
    ],
)
async def test_an_empty_request_is_told_every_field(
    desk: Desk, method: str, request_: object, named: list[str]
) -> None:
    with pytest.raises(InvalidFields) as raised:
        await desk.ask(method, request_)
    assert [field for field, _ in raised.value.violations] == named
