"""Pausing, resuming, opening hours and pages of sales, on real MariaDB and Redis."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from governor.app import running
from governor.settings import Settings
from kernel.stock.results import OfferState, ReserveKind
from meshkit.clock import wall_ms
from meshkit.errors import IllegalState, InvalidFields, RequestIdReused, SaleNotFound
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.governor.doom import ask_and_die
from tests.integration.governor.operators import Desk, closing, desk_at, free_base, opening, settings_for
from tests.polling import eventually
from tools import devstack


def asking(method: str, sale_id: str, request_id: str = "") -> Any:
    return getattr(pb, f"{method}Request")(sale_id=sale_id, request_id=request_id or str(uuid4()))


async def change(desk: Desk, method: str, sale_id: str, request_id: str = "") -> pb.Sale:
    answer: pb.Sale = (await desk.ask(method, asking(method, sale_id, request_id))).sale
    return answer


async def states_of(desk: Desk, sale: pb.Sale) -> tuple[str, str, str]:
    """(sale in SQL, offer in SQL, offer in Redis)."""
    [row] = await desk.rows("SELECT state FROM sale WHERE sale_id = :id", id=sale.sale_id)
    [offer] = await desk.rows("SELECT state FROM offer WHERE sale_id = :id", id=sale.sale_id)
    counters = await desk.stock.counters(sale.offers[0].offer_no, 0)
    return row.state, offer.state, counters.state.value if counters else ""


async def test_a_paused_sale_sells_nothing_until_it_is_resumed(desk: Desk) -> None:
    sale = await desk.new_sale()
    offer = sale.offers[0]
    assert await desk.reserve(offer, 1) is ReserveKind.RESERVED
    pause = str(uuid4())
    paused = await change(desk, "PauseSale", sale.sale_id, pause)
    assert (paused.state, paused.offers[0].redis) == (
        pb.SALE_STATE_PAUSED,
        pb.StockCounters(available=9, reserved=1),
    )
    assert await states_of(desk, sale) == ("PAUSED", "PAUSED", "PAUSED")
    assert await desk.reserve(offer, 1) is ReserveKind.NOT_OPEN
    resumed = await change(desk, "ResumeSale", sale.sale_id)
    assert resumed.state == pb.SALE_STATE_OPEN
    assert await desk.reserve(offer, 1) is ReserveKind.RESERVED
    # A repeat tells the state as it is now, and pauses nothing anew.
    assert (await change(desk, "PauseSale", sale.sale_id, pause)).state == pb.SALE_STATE_OPEN
    assert await states_of(desk, sale) == ("OPEN", "OPEN", "OPEN")
    [journal] = await desk.rows("SELECT * FROM ops_request WHERE request_id = :id", id=pause)
    assert (journal.method, journal.who) == ("PauseSale", "olga")


async def test_a_pause_under_anothers_request_id_is_refused(desk: Desk) -> None:
    first, second = await desk.new_sale(), await desk.new_sale()
    request_id = str(uuid4())
    await change(desk, "PauseSale", first.sale_id, request_id)
    for method, sale in (("PauseSale", second), ("ResumeSale", first)):
        with pytest.raises(RequestIdReused):
            await change(desk, method, sale.sale_id, request_id)
    assert (await desk.sale(second.sale_id)).state == pb.SALE_STATE_OPEN


async def test_a_closed_sale_is_neither_paused_nor_resumed_and_a_paused_one_may_be_closed(desk: Desk) -> None:
    sale = await desk.new_sale()
    await change(desk, "PauseSale", sale.sale_id)
    assert (await desk.ask("CloseSale", closing(sale))).sale.state == pb.SALE_STATE_CLOSED
    for method in ("PauseSale", "ResumeSale"):
        with pytest.raises(IllegalState):
            await change(desk, method, sale.sale_id)
        with pytest.raises(SaleNotFound):
            await change(desk, method, "sale-none")
    assert await states_of(desk, sale) == ("CLOSED", "CLOSED", "CLOSED")


async def test_an_offer_that_was_closed_for_overselling_is_not_resumed(desk: Desk) -> None:
    sale = await desk.new_sale()
    number = sale.offers[0].offer_no
    # Not 1 where stock was rebuilt before, on a stack that is used again.
    [row] = await desk.rows("SELECT epoch FROM offer WHERE offer_no = :number", number=number)
    assert await desk.stock.set_state(number, 0, row.epoch, OfferState.CLOSED)
    await change(desk, "PauseSale", sale.sale_id)
    await change(desk, "ResumeSale", sale.sale_id)
    assert await desk.reserve(sale.offers[0], 1) is ReserveKind.NOT_OPEN


@pytest.mark.parametrize(
    ("method", "point", "ends"),
    [("PauseSale", "after_pause_row", "PAUSED"), ("ResumeSale", "after_resume_row", "OPEN")],
)
async def test_a_governor_that_dies_half_way_is_healed_by_the_next(
    desk: Desk, data_servers: devstack.Mesh, method: str, point: str, ends: str
) -> None:
    doomed: Settings = settings_for(data_servers, free_base())
    sale = await desk.new_sale()
    if method == "ResumeSale":
        await change(desk, "PauseSale", sale.sale_id)
    request = asking(method, sale.sale_id)
    await ask_and_die(doomed, point, method, request)

    async def healed() -> bool:
        return await states_of(desk, sale) == (ends, ends, ends)

    await eventually(healed)
    await desk.ask(method, request)
    assert await states_of(desk, sale) == (ends, ends, ends)


async def test_pauses_and_resumes_at_once_leave_sql_and_redis_equal(desk: Desk, data_servers: devstack.Mesh) -> None:
    second = settings_for(data_servers, free_base())
    async with running(second) as port, desk_at(second, port) as other:
        sale = await desk.new_sale()
        methods = ["PauseSale", "ResumeSale"] * 4
        await asyncio.gather(*(change((desk, other)[n % 3 == 0], each, sale.sale_id) for n, each in enumerate(methods)))
        found = await states_of(desk, sale)
        assert len(set(found)) == 1


def at(millis: int) -> Timestamp:
    return Timestamp(seconds=millis // 1000, nanos=millis % 1000 * 1_000_000)


async def opened(desk: Desk, **hours: Timestamp) -> pb.Sale:
    [sku] = await desk.new_skus()
    request = opening(sku)
    for name, time in hours.items():
        getattr(request, name).CopyFrom(time)
    sale: pb.Sale = (await desk.ask("OpenSale", request)).sale
    return sale


async def becomes(desk: Desk, sale: pb.Sale, state: int) -> None:
    async def check() -> bool:
        return (await desk.sale(sale.sale_id)).state == state

    await eventually(check)


async def test_a_sale_opens_and_closes_by_its_hours(desk: Desk) -> None:
    """One that is about to open and one that is about to close: neither has an hour that a slow machine could miss."""
    soon = wall_ms() + 1_500
    early, late = await opened(desk, open_time=at(soon)), await opened(desk, close_time=at(soon))
    assert (early.state, late.state) == (pb.SALE_STATE_SCHEDULED, pb.SALE_STATE_OPEN)
    assert await desk.reserve(early.offers[0], 1) is ReserveKind.NOT_OPEN
    assert await desk.reserve(late.offers[0], 1) is ReserveKind.RESERVED
    await becomes(desk, early, pb.SALE_STATE_OPEN)
    assert await desk.reserve(early.offers[0], 1) is ReserveKind.RESERVED
    await becomes(desk, late, pb.SALE_STATE_CLOSED)
    assert await desk.reserve(late.offers[0], 1) is ReserveKind.NOT_OPEN


async def test_a_sale_long_over_is_closed_in_sql_too(desk: Desk) -> None:
    sale = await desk.new_sale()
    assert await desk.reserve(sale.offers[0], 1) is ReserveKind.RESERVED
    over = wall_ms() - 61_000
    await desk.change("UPDATE sale SET closes_ms = :at WHERE sale_id = :id", at=over, id=sale.sale_id)

    async def closed() -> bool:
        return (await states_of(desk, sale))[0] == "CLOSED"

    await eventually(closed)
    assert (await desk.sale(sale.sale_id)).offers[0].redis == pb.StockCounters(available=9, reserved=1)


async def test_sales_come_in_pages_newest_first(desk: Desk) -> None:
    mine = [(await desk.new_sale()).sale_id for _ in range(3)]
    await change(desk, "PauseSale", mine[1])
    found, token = dict[str, pb.Sale](), ""
    pages = 0
    while pages == 0 or (token and not set(mine) <= found.keys()):
        page = await desk.ask("ListSales", pb.ListSalesRequest(page_size=2, page_token=token))
        assert len(page.sales) <= 2
        assert not found.keys() & {sale.sale_id for sale in page.sales}
        found |= {sale.sale_id: sale for sale in page.sales}
        token, pages = page.next_page_token, pages + 1
    assert list(found) == sorted(found, reverse=True)
    assert set(mine) <= found.keys()
    assert found[mine[1]].state == pb.SALE_STATE_PAUSED
    assert found[mine[0]].offers[0].database == pb.StockCounters(available=10)
    assert not found[mine[0]].offers[0].HasField("redis")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListSalesRequest(page_size=-1), "page_size"),
        (pb.ListSalesRequest(page_token="!"), "page_token"),
        (pb.ListSalesRequest(page_token="e30"), "page_token"),
    ],
)
async def test_a_page_that_cannot_be_is_refused_by_name(desk: Desk, request_: pb.ListSalesRequest, field: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        await desk.ask("ListSales", request_)
    assert [name for name, _ in raised.value.violations] == [field]
