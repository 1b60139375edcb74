"""One order's whole way, and the answers to a repeated, a reused and a refused request."""

import asyncio
from uuid import uuid4

import pytest

from meshkit.errors import OrderNotFound, PriceChanged, RequestIdReused, SoldOut
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.ops.v1 import ops_service_pb2 as ops
from tests.e2e.shop import Shop, State
from tests.polling import eventually


async def test_an_order_goes_from_the_tap_to_the_parcel(shop: Shop) -> None:
    sale = await shop.open_sale(units=5)
    answer = await shop.place("ana", sale)
    assert answer.acceptance == checkout.ACCEPTANCE_QUEUED
    assert answer.message == "You are in queue. Your order is being processed."
    order = await shop.reaches("ana", answer.order_id, State.ORDER_STATE_TO_SHIP)
    assert order.total.units * 100 + order.total.nanos // 10**7 == 1999 + (
        order.shipping.units * 100 + order.shipping.nanos // 10**7
    )

    async def counted() -> bool:
        offer = await shop.offer(sale)
        return offer.database == offer.redis == ops.StockCounters(available=4, sold=1)

    # The row moves first, the reservation behind it.
    await eventually(counted)


async def test_the_same_request_gets_the_same_answer_and_one_order(shop: Shop) -> None:
    sale = await shop.open_sale(units=5, limit=3)
    request = shop.request(sale)
    first = await shop.send("ana", request)
    again = await asyncio.gather(*[shop.send("ana", request) for _ in range(5)])
    assert {each.order_id for each in again} == {first.order_id}
    assert {each.acceptance for each in again} == {checkout.ACCEPTANCE_QUEUED}
    await shop.reaches("ana", first.order_id, State.ORDER_STATE_TO_SHIP)
    late = await shop.send("ana", request)
    assert (late.order_id, late.acceptance) == (first.order_id, checkout.ACCEPTANCE_QUEUED)
    assert (await shop.offer(sale)).redis.available == 4


async def test_another_body_under_the_same_request_id_is_refused(shop: Shop) -> None:
    sale = await shop.open_sale(units=5, limit=3)
    request = shop.request(sale)
    await shop.send("ana", request)
    request.quantity = 2
    with pytest.raises(RequestIdReused):
        await shop.send("ana", request)
    assert (await shop.offer(sale)).redis.available == 4


async def test_a_double_tap_on_the_last_unit_is_one_order(shop: Shop) -> None:
    sale = await shop.open_sale(units=1)
    request = shop.request(sale)
    taps = await asyncio.gather(*[shop.send("ana", request) for _ in range(2)])
    assert len({tap.order_id for tap in taps}) == 1
    with pytest.raises(SoldOut):
        await shop.place("bo", sale)


async def test_a_stale_price_is_refused_with_the_current_one(shop: Shop) -> None:
    sale = await shop.open_sale(units=1)
    with pytest.raises(PriceChanged) as raised:
        await shop.place("ana", sale, price_version=sale.price_version + 1)
    assert raised.value.metadata["price_version"] == str(sale.price_version)
    assert (await shop.offer(sale)).redis.available == 1


async def test_anothers_order_does_not_exist(shop: Shop) -> None:
    sale = await shop.open_sale(units=1)
    answer = await shop.place("ana", sale)
    for order_id in (answer.order_id, str(uuid4())):
        with pytest.raises(OrderNotFound):
            await shop.order("eve", order_id)
