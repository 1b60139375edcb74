"""What a service refuses, as a JSON client reads it: the same reason, metadata and fields that gRPC carries."""

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToDict

from meshkit.identity import Role
from tests.e2e.shop import OpenSale, Shop
from tests.json_client import JsonAnswer, ask


@pytest.fixture
async def sale(shop: Shop) -> OpenSale:
    return await shop.open_sale(units=1, limit=1)


async def place(shop: Shop, sale: OpenSale, user: str, **changes: Any) -> JsonAnswer:
    url = f"http://127.0.0.1:{shop.settings.ports['gateway']}/v1/orders"
    body = MessageToDict(shop.request(sale), preserving_proto_field_name=True) | changes
    return await ask(url, shop.issuer.issue(user, Role.BUYER), "POST", body)


async def test_each_reason_with_its_status(shop: Shop, sale: OpenSale) -> None:
    stale = await place(shop, sale, "ana", price_version=sale.price_version + 1)
    assert (stale.status, stale.body["code"], stale.reason) == (400, 9, "PRICE_CHANGED")
    assert stale.body["details"][0]["metadata"] == {"price_version": str(sale.price_version)}
    nowhere = await place(shop, sale, "ana", sku="no-such-sku")
    assert (nowhere.status, nowhere.reason) == (404, "OFFER_NOT_FOUND")
    bad = await place(shop, sale, "ana", quantity=0, voucher_code="a b")
    assert (bad.status, bad.reason, set(bad.fields)) == (400, "INVALID_FIELD", {"quantity", "voucher_code"})
    assert (await shop.offer(sale)).redis.available == 1


async def test_the_same_request_over_json_and_grpc_is_one_order(shop: Shop, sale: OpenSale) -> None:
    request = shop.request(sale)
    first = await place(shop, sale, "ana", request_id=request.request_id)
    assert (first.status, first.body["acceptance"]) == (200, "ACCEPTANCE_QUEUED")
    assert (await shop.send("ana", request)).order_id == first.body["order_id"]
    other = await place(shop, sale, "ana", request_id=request.request_id, quantity=2)
    assert (other.status, other.body["code"], other.reason) == (409, 6, "REQUEST_ID_REUSED")
    late = await place(shop, sale, "bo", request_id=str(uuid4()))
    assert (late.status, late.reason) == (400, "SOLD_OUT")
