"""The accept path on real servers: bad input reserves nothing, a frozen Kafka loses nothing."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from kernel.stock.results import Mark
from meshkit.errors import InvalidFields, OfferNotFound, PeakmeshError, RequestIdReused, SoldOut
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from tests.integration.checkout_svc.shop import Shop
from tests.polling import eventually
from tools import devstack

PLACE = "/peakmesh.checkout.v1.CheckoutService/PlaceOrder"


async def test_an_order_is_queued_in_kafka_and_leaves_the_outbox(shop: Shop) -> None:
    offer = await shop.open(5)
    answer = await shop.place(shop.request(offer))
    assert answer.acceptance == pb.ACCEPTANCE_QUEUED

    async def arrived() -> bool:
        return await shop.accepted(offer) == [answer.order_id] and (await shop.snapshot(offer)).outbox_length == 0

    await eventually(arrived)
    held = await shop.stock.reservation(answer.order_id)
    assert held is not None
    assert answer.expire_time.ToMilliseconds() == held.deadline_ms
    assert held.mark is Mark.NONE


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xff\xff", StatusCode.INVALID_ARGUMENT),
        (b"", StatusCode.INVALID_ARGUMENT),
        (b"\x0a\x80\x80\x04" + b"a" * 65_536, StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=["undecodable", "empty", "oversized"],
)
async def test_bad_bytes(shop: Shop, data: bytes, code: StatusCode) -> None:
    raw: Any = shop.wire.unary_unary(PLACE)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await raw(data, metadata=shop.metadata(), timeout=5)
    assert raised.value.code() is code


async def test_bad_requests_reserve_nothing(shop: Shop) -> None:
    offer = await shop.open(5)
    cases: list[tuple[type[PeakmeshError], dict[str, Any]]] = [
        (InvalidFields, {"sku": "{7:0}"}),
        (InvalidFields, {"quantity": -1}),
        (InvalidFields, {"request_id": ""}),
        (InvalidFields, {"voucher_code": "a|b"}),
        (OfferNotFound, {"sku": "unknown"}),
    ]
    for error, changes in cases:
        with pytest.raises(error):
            await shop.place(shop.request(offer, **changes))
    counted = await shop.snapshot(offer)
    assert (counted.counters.available, counted.reservations, counted.outbox_length) == (5, 0, 0)


async def test_a_double_tap_in_one_window_on_the_last_unit(shop: Shop) -> None:
    offer = await shop.open(1)
    request = shop.request(offer)
    other = shop.request(offer)
    taps = await asyncio.gather(shop.place(request), shop.place(request), shop.place(request))
    assert len({tap.order_id for tap in taps}) == 1
    assert {tap.acceptance for tap in taps} == {pb.ACCEPTANCE_QUEUED}
    with pytest.raises(SoldOut):
        await shop.place(other)
    request.shipping_address.city = "Bonn"
    with pytest.raises(RequestIdReused):
        await shop.place(request)
    assert (await shop.snapshot(offer)).held == 1


async def test_a_voucher_is_answered_alike_while_promotions_are_away(shop: Shop) -> None:
    offer = await shop.open(5)
    request = shop.request(offer, voucher_code="SAVE10")
    first = await shop.place(request)
    again = await shop.place(request)
    assert (again.order_id, again.promotion) == (first.order_id, first.promotion)
    assert first.promotion.state
    assert again.expire_time == first.expire_time


async def test_with_kafka_frozen_an_order_is_pending_and_the_relay_publishes_it_later(
    shop: Shop, servers: devstack.Mesh
) -> None:
    offer = await shop.open(5)
    await shop.place(shop.request(offer))
    request = shop.request(offer)
    devstack.pause_process("kafka", servers)
    try:
        answer, second = await asyncio.gather(shop.place(request), shop.place(shop.request(offer), "bob"))
        held = await shop.stock.reservation(answer.order_id)
        retry = await shop.place(request)
    finally:
        devstack.resume_process("kafka", servers)
    assert {answer.acceptance, second.acceptance, retry.acceptance} == {pb.ACCEPTANCE_PENDING}
    assert held is not None
    assert (held.mark, held.entry_present) == (Mark.PENDING, True)

    async def published() -> bool:
        have = set(await shop.accepted(offer))
        return {answer.order_id, second.order_id} <= have and (await shop.snapshot(offer)).outbox_length == 0

    await eventually(published, within=20)
    queued = await shop.place(request)
    assert (queued.order_id, queued.acceptance) == (answer.order_id, pb.ACCEPTANCE_QUEUED)
    assert (await shop.snapshot(offer)).held == 3
