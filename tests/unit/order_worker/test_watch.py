"""WatchOrder over a list of rows: what each stream is told, whose it is, how many there may be."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from kernel.order_ids import new_order_id
from kernel.order_states import OrderState
from meshkit.errors import DependencyUnavailable, OrderNotFound, Overloaded
from meshkit.identity import Identity, Role
from meshkit.lifecycle import background
from order_worker.get_order import Waiting
from order_worker.order_reads import OrderView
from order_worker.order_tail import OrderTail
from order_worker.watch_order import WatchOrder
from tests.polling import eventually
from tests.unit.order_worker.orders import OFFER

ANA, BEN, SHOP = Identity("ana", Role.BUYER), Identity("ben", Role.BUYER), Identity("shop", Role.SERVICE)


class Rows:
    """`asked`: how many orders each query was for."""

    def __init__(self, *views: OrderView) -> None:
        self.views = {view.order_id: view for view in views}
        self.asked: list[int] = []
        self.away = False

    async def some(self, order_ids: Collection[str], since_ms: int = 0) -> list[OrderView]:
        self.asked.append(len(order_ids))
        if self.away:
            raise DependencyUnavailable("database")
        found = [self.views[order_id] for order_id in order_ids if order_id in self.views]
        return [view for view in found if view.updated_ms >= since_ms]

    async def nowhere(self, order_ids: Sequence[str], *, renew: bool) -> dict[str, Waiting]:
        return {}

    def move(self, order_id: str, state: OrderState, **changes: object) -> None:
        self.views[order_id] = replace(self.views[order_id], state=state, **changes)  # type: ignore[arg-type]


def created(user: str = "ana") -> OrderView:
    far = 10**15
    return OrderView(
        new_order_id(OFFER, 0), user, "sale", "sku", 1, OrderState.CREATED, "", 1, 0, None, "EUR", 1, far, 3, False
    )


@asynccontextmanager
async def watching(rows: Rows, most: int = 100) -> AsyncIterator[tuple[WatchOrder, OrderTail]]:
    tail = OrderTail(rows, rows.nowhere)
    async with background(tail.run()):
        yield WatchOrder(tail, most), tail


async def told(watch: WatchOrder, order_id: str, who: Identity = ANA) -> list[str]:
    return [state async for state, _ in watch(order_id, who)]


async def test_a_watcher_is_told_each_move_and_the_end() -> None:
    view = created()
    rows = Rows(view)
    async with watching(rows) as (watch, tail):
        stream = watch(view.order_id, ANA)
        assert (await anext(stream))[0] == "CREATED"
        rows.move(view.order_id, OrderState.TO_SHIP, debited=True)
        assert [state async for state, _ in stream] == ["PAYING", "PAID", "TO_SHIP"]
        assert tail.count == 0


async def test_a_reader_that_falls_behind_misses_nothing_and_holds_one_sight() -> None:
    view = created()
    rows = Rows(view)
    async with watching(rows) as (watch, _):
        stream = watch(view.order_id, ANA)
        await anext(stream)
        for state in (OrderState.PAID, OrderState.TO_SHIP):
            rows.move(view.order_id, state, debited=True)
            looks = len(rows.asked)
            await eventually(lambda seen=looks: len(rows.asked) > seen + 1)  # type: ignore[misc]
        assert [state async for state, _ in stream] == ["PAYING", "PAID", "TO_SHIP"]


async def test_a_hundred_watchers_cost_one_query_a_look() -> None:
    views = [created() for _ in range(100)]
    rows = Rows(*views)
    async with watching(rows) as (watch, _):
        streams = [asyncio.create_task(told(watch, view.order_id)) for view in views]
        await eventually(lambda: rows.asked.count(100) >= 3)
        assert len(rows.asked) <= rows.asked.count(100) + 1
        for view in views:
            rows.move(view.order_id, OrderState.EXPIRED)
        assert await asyncio.gather(*streams) == [["CREATED", "EXPIRED"]] * 100


async def test_without_watchers_nobody_is_asked() -> None:
    view = created()
    rows = Rows(view)
    async with watching(rows) as (watch, tail):
        stream = watch(view.order_id, ANA)
        await anext(stream)
        await stream.aclose()
        assert tail.count == 0
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.6)
        assert len(rows.asked) <= 3


async def test_anothers_order_is_not_found_and_a_service_sees_all() -> None:
    view = replace(created(), state=OrderState.TO_SHIP)
    async with watching(Rows(view)) as (watch, tail):
        with pytest.raises(OrderNotFound):
            await told(watch, view.order_id, BEN)
        with pytest.raises(OrderNotFound):
            await told(watch, new_order_id(OFFER, 0))
        assert await told(watch, view.order_id, SHOP) == ["TO_SHIP"]
        assert tail.count == 0


async def test_one_more_than_the_most_is_refused_with_a_time_to_come_back() -> None:
    views = [created(), created()]
    async with watching(Rows(*views), most=1) as (watch, _):
        stream = watch(views[0].order_id, ANA)
        await anext(stream)
        with pytest.raises(Overloaded) as raised:
            await told(watch, views[1].order_id)
        assert raised.value.retry_after == 1.0
        await stream.aclose()


async def test_a_process_that_stops_says_so_to_every_watcher() -> None:
    view = created()
    async with watching(Rows(view)) as (watch, tail):
        stream = watch(view.order_id, ANA)
        await anext(stream)
        tail.close()
        with pytest.raises(DependencyUnavailable) as raised:
            await anext(stream)
        assert raised.value.retry_after == 1.0
        with pytest.raises(DependencyUnavailable):
            await told(watch, view.order_id)


async def test_what_is_to_ship_goes_on_while_it_is_being_cancelled() -> None:
    view = replace(created(), state=OrderState.TO_SHIP, debited=True, cancelling=True)
    rows = Rows(view)
    async with watching(rows) as (watch, _):
        stream = watch(view.order_id, ANA)
        state, sight = await anext(stream)
        assert (state, sight.cancelling) == ("TO_SHIP", True)
        rows.move(view.order_id, OrderState.REFUNDED, cancelling=False)
        assert [state async for state, _ in stream] == ["REFUNDED"]


async def test_a_cancel_the_carrier_refused_ends_the_watch_where_the_order_is() -> None:
    view = replace(created(), state=OrderState.TO_SHIP, debited=True, cancelling=True)
    rows = Rows(view)
    async with watching(rows) as (watch, _):
        stream = watch(view.order_id, ANA)
        await anext(stream)
        rows.move(view.order_id, OrderState.TO_SHIP, cancelling=False, reason="not cancelled: collected")
        assert [(state, sight.cancelling) async for state, sight in stream] == [("TO_SHIP", False)]


async def test_moves_made_while_the_database_is_away_are_told_when_it_is_back() -> None:
    view = created()
    rows = Rows(view)
    async with watching(rows) as (watch, _):
        stream = watch(view.order_id, ANA)
        await anext(stream)
        rows.away = True
        rows.move(view.order_id, OrderState.TO_SHIP, debited=True)
        looks = len(rows.asked)
        await eventually(lambda: len(rows.asked) > looks + 1)
        rows.away = False
        assert [state async for state, _ in stream] == ["PAYING", "PAID", "TO_SHIP"]
