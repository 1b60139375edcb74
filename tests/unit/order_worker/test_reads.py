"""GetOrder before the row exists, what others may see, page tokens, the queue estimate."""

import pytest

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.order_states import OrderState
from kernel.stock.results import ReserveRequest
from meshkit.errors import InvalidFields, OrderNotFound
from meshkit.identity import Identity, Role
from meshkit.kafka.queue_estimate import Drain
from order_worker.get_order import GetOrder, Waiting
from order_worker.list_orders import ListOrders
from order_worker.order_filter import OrderFilter, make_token, read_token
from order_worker.order_reads import OfferView, OrderView
from tests.fakes.stock import FakeStock
from tests.unit.order_worker.orders import OFFER, request_id

ANA, BEN = Identity("ana", Role.BUYER), Identity("ben", Role.BUYER)


class Rows:
    """Reads over a list; `late` appears from the second read on."""

    def __init__(self, *rows: OrderView, late: OrderView | None = None) -> None:
        self.rows, self.late = list(rows), late

    async def one(self, order_id: str) -> OrderView | None:
        found = next((row for row in self.rows if row.order_id == order_id), None)
        if self.late is not None:
            self.rows.append(self.late)
        return found

    async def offer(self, number: int) -> OfferView | None:
        return OfferView("sale", "sku", 1999, "EUR") if number == OFFER else None

    async def newest(self, user_id: str, before: str, count: int, which: OrderFilter) -> list[OrderView]:
        mine = [row for row in self.rows if row.user_id == user_id and (not before or row.order_id < before)]
        return sorted(mine, key=lambda row: row.order_id, reverse=True)[:count]


class Queue:
    def eta_seconds(self) -> float | None:
        return 2.5


def view(order_id: str, user: str = "ana") -> OrderView:
    return OrderView(order_id, user, "sale", "sku", 1, OrderState.CREATED, "", 1999, 0, None, "EUR", 1, 2, 3, False)


async def reserved(stock: FakeStock) -> tuple[str, str]:
    """(order_id, entry_id) of a reservation of ana's."""
    await stock.open_offer(Offer(OFFER, "sale", "sku", 1999, "EUR", 1, 100, 1, 1, 5), 10, 0, 0)
    order_id = new_order_id(OFFER, 0)
    request = ReserveRequest(order_id, "ana", request_id(1), "hash", 1, 1, b"event", 600_000)
    [result] = await stock.reserve(OFFER, 0, 1, [request])
    return order_id, result.entry_id


async def ask(stock: FakeStock, order_id: str, who: Identity = ANA, rows: Rows | None = None) -> OrderView | Waiting:
    return await GetOrder(rows or Rows(), stock, Queue())(order_id, who)


async def test_pending_until_the_outbox_entry_is_gone() -> None:
    stock = FakeStock()
    order_id, entry_id = await reserved(stock)
    found = await ask(stock, order_id)
    assert isinstance(found, Waiting)
    assert not found.queued
    await stock.outbox_delete(OFFER, 0, 1, [entry_id])
    found = await ask(stock, order_id)
    assert isinstance(found, Waiting)
    assert found.queued
    assert found.eta_seconds == 2.5
    assert found.offer == OfferView("sale", "sku", 1999, "EUR")


async def test_asking_renews_the_consent() -> None:
    stock = FakeStock()
    order_id, _ = await reserved(stock)
    await stock.mark_pending(1, order_id)
    stock.now_ms += 31_000
    found = await ask(stock, order_id)
    assert isinstance(found, Waiting)
    assert not found.queued
    assert not await stock.start_cancel(1, order_id, 30_000)


async def test_one_that_is_being_cancelled_is_never_called_queued() -> None:
    stock = FakeStock()
    order_id, entry_id = await reserved(stock)
    await stock.mark_pending(1, order_id)
    stock.now_ms += 31_000
    assert await stock.start_cancel(1, order_id, 30_000)
    await stock.outbox_delete(OFFER, 0, 1, [entry_id])
    found = await ask(stock, order_id)
    assert isinstance(found, Waiting)
    assert not found.queued


async def test_a_row_committed_between_the_reads_is_found() -> None:
    stock = FakeStock()
    order_id, _ = await reserved(stock)
    await stock.release(1, [order_id])
    assert await ask(stock, order_id, rows=Rows(late=view(order_id))) == view(order_id)


async def test_anothers_order_is_not_found_and_a_service_sees_all() -> None:
    stock = FakeStock()
    order_id, _ = await reserved(stock)
    with pytest.raises(OrderNotFound):
        await ask(stock, order_id, BEN)
    with pytest.raises(OrderNotFound):
        await ask(stock, order_id, BEN, Rows(view(order_id)))
    service = Identity("shop", Role.SERVICE)
    assert isinstance(await ask(stock, order_id, service), Waiting)
    assert await ask(stock, order_id, service, Rows(view(order_id))) == view(order_id)


async def test_pages_hold_every_order_once_newest_first() -> None:
    views = [view(new_order_id(OFFER, 0, now_ms=1_000 + n)) for n in range(7)]
    page_of = ListOrders(Rows(*views, view(new_order_id(OFFER, 0), "ben")))
    seen, token = [], ""
    while True:
        page = await page_of("ana", 3, token, OrderFilter())
        seen += page.orders
        token = page.next_token
        if not token:
            break
    assert seen == views[::-1]


@pytest.mark.parametrize("token", ["x", "!!!!", "é", "AAAAAAAAAAAAAAAAAAAAAA", "a" * 5000])
async def test_a_bad_page_token_is_named(token: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        await ListOrders(Rows())("ana", 0, token, OrderFilter())
    assert raised.value.violations[0][0] == "page_token"


async def test_a_negative_page_size_is_named() -> None:
    with pytest.raises(InvalidFields) as raised:
        await ListOrders(Rows())("ana", -1, "", OrderFilter())
    assert raised.value.violations[0][0] == "page_size"


def test_a_token_leads_back_to_its_order() -> None:
    order_id = new_order_id(OFFER, 0)
    assert read_token(make_token(order_id)) == order_id


def test_the_estimate_is_backlog_over_drain_rate() -> None:
    drain = Drain()
    assert drain.eta_seconds() is None
    drain.add(10.0, committed=0, end=500)
    assert drain.eta_seconds() is None
    drain.add(12.0, committed=200, end=600)
    assert drain.eta_seconds() == pytest.approx(4.0)
    drain.add(13.0, committed=600, end=600)
    assert drain.eta_seconds() == 0
