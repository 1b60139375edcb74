"""Who may buy what: what is not on sale, tokens and roles. Malformed requests are in test_malformed.py."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc import StatusCode

from meshkit.errors import OfferNotFound, RoleRequired, Unauthenticated
from meshkit.identity import Role
from meshkit.rpc.client import call
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from tests.e2e.shop import OpenSale, Shop, State


@pytest.fixture
async def sale(shop: Shop) -> OpenSale:
    return await shop.open_sale(units=3)


async def test_what_is_not_on_sale_is_not_found(shop: Shop, sale: OpenSale) -> None:
    with pytest.raises(OfferNotFound):
        await shop.place("ana", sale, sku="no-such-sku")
    with pytest.raises(OfferNotFound):
        await shop.place("ana", sale, sale_id=f"sale-{uuid4()}")


async def test_without_a_token_nothing_is_reserved(shop: Shop, sale: OpenSale) -> None:
    stub: Any = checkout_rpc.CheckoutServiceStub(shop.gateway)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.PlaceOrder(shop.request(sale), timeout=5)
    assert raised.value.code() is StatusCode.UNAUTHENTICATED
    assert (await shop.offer(sale)).redis.available == 3


async def test_a_service_token_of_the_wrong_role_is_refused(shop: Shop, sale: OpenSale) -> None:
    with pytest.raises(RoleRequired):
        await shop.send("op", shop.request(sale), role=Role.OPERATOR)


async def test_the_services_check_the_token_themselves(shop: Shop, sale: OpenSale) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{shop.settings.ports['checkout_0']}") as direct:
        stub: Any = checkout_rpc.CheckoutServiceStub(direct)
        with pytest.raises(Unauthenticated):
            await call(stub.PlaceOrder, shop.request(sale), timeout=5, dependency="checkout")


async def test_a_service_may_buy_for_somebody(shop: Shop, sale: OpenSale) -> None:
    request = shop.request(sale, buyer_id="ana")
    answer = await shop.send("kiosk", request, role=Role.SERVICE)
    assert (await shop.order("ana", answer.order_id)).sku == sale.sku
    assert (await shop.reaches("ana", answer.order_id, State.ORDER_STATE_TO_SHIP)).sku == sale.sku
