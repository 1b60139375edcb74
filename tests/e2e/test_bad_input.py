"""Bad input through Envoy: the right status, the field named, nothing reserved; never INTERNAL or UNKNOWN."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc import StatusCode

from meshkit.errors import InvalidFields, OfferNotFound, PeakmeshError, RoleRequired, Unauthenticated
from meshkit.identity import Role
from meshkit.rpc.client import call
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.order.v1 import order_pb2
from tests.e2e.shop import ADDRESS, OpenSale, Shop, State

PLACE = "/peakmesh.checkout.v1.CheckoutService/PlaceOrder"


def _address(**changes: str) -> order_pb2.ShippingAddress:
    changed = order_pb2.ShippingAddress()
    changed.CopyFrom(ADDRESS)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


@pytest.fixture
async def sale(shop: Shop) -> OpenSale:
    return await shop.open_sale(units=3)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("sale_id", {"sale_id": ""}),
        ("sale_id", {"sale_id": "{x}"}),
        ("sku", {"sku": "a{1:0}"}),
        ("sku", {"sku": "x" * 65}),
        ("quantity", {"quantity": 0}),
        ("quantity", {"quantity": -1}),
        ("quantity", {"quantity": 2**31 - 1}),
        ("request_id", {"request_id": ""}),
        ("request_id", {"request_id": "{}"}),
        ("price_version", {"price_version": 0}),
        ("voucher_code", {"voucher_code": "a b"}),
        ("shipping_address.city", {"shipping_address": _address(city="")}),
        ("shipping_address.country_code", {"shipping_address": _address(country_code="germany")}),
        ("shipping_address.recipient", {"shipping_address": _address(recipient="x" * 101)}),
        ("buyer_id", {"buyer_id": "somebody-else"}),
    ],
)
async def test_a_bad_field_is_named(shop: Shop, sale: OpenSale, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields) as raised:
        await shop.place("ana", sale, **changes)
    assert field in [name for name, _ in raised.value.violations]
    assert (await shop.offer(sale)).redis.available == 3


async def test_what_is_not_on_sale_is_not_found(shop: Shop, sale: OpenSale) -> None:
    with pytest.raises(OfferNotFound):
        await shop.place("ana", sale, sku="no-such-sku")
    with pytest.raises(OfferNotFound):
        await shop.place("ana", sale, sale_id=f"sale-{uuid4()}")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xff\xff", StatusCode.INVALID_ARGUMENT),
        (b"", StatusCode.INVALID_ARGUMENT),
        (b"\x0a" + b"\xff\xff\x03" + b"a" * 65_535, StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=["undecodable", "empty", "oversized"],
)
async def test_bad_bytes(shop: Shop, data: bytes, code: StatusCode) -> None:
    raw: Any = shop.gateway.unary_unary(PLACE)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await raw(data, metadata=shop.metadata("ana"), timeout=5)
    assert raised.value.code() is code


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


async def test_no_refusal_is_internal(shop: Shop, sale: OpenSale) -> None:
    with pytest.raises(PeakmeshError) as raised:
        await shop.order("ana", "{not-an-order}")
    assert raised.value.code in (StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND)
