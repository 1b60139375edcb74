"""Search and catalogue through Envoy: find, look, and buy at the price that was shown."""

from typing import Any

import grpc
import pytest

from meshkit.errors import InvalidFields, ProductNotFound
from meshkit.identity import Role
from meshkit.rpc.client import call
from peakmesh.checkout.v1 import catalog_service_pb2 as pb
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as rpc
from tests.e2e.shop import Shop, State
from tests.polling import eventually

HOSTILE = [
    "*",
    '"',
    "NEAR(a b)",
    "name:phone*",
    "a AND",
    "(" * 200,
    "'; DROP TABLE product; --",
    "😀 \u202e",
    "a " * 100,
]


async def ask(shop: Shop, method: str, request: Any, role: Role = Role.BUYER) -> Any:
    stub: Any = rpc.CatalogServiceStub(shop.gateway)
    metadata = shop.metadata("ana", role)
    return await call(getattr(stub, method), request, timeout=5, dependency="catalog", metadata=metadata)


async def test_what_is_found_is_bought_at_the_price_shown(shop: Shop) -> None:
    sale = await shop.open_sale(units=3, price_minor=2599)
    found: list[pb.Product] = []

    async def on_sale() -> bool:
        query = pb.SearchProductsRequest(query=sale.sku, stock_state=pb.STOCK_STATE_IN_STOCK)
        found[:] = (await ask(shop, "SearchProducts", query)).products
        return bool(found)

    await eventually(on_sale)
    [product] = found
    assert (product.sku, product.sale_id, product.price_version) == (sale.sku, sale.sale_id, sale.price_version)
    assert (product.unit_price.units, product.unit_price.nanos) == (25, 990_000_000)
    answer = await shop.place("ana", sale, sku=product.sku, sale_id=product.sale_id)
    await shop.reaches("ana", answer.order_id, State.ORDER_STATE_TO_SHIP)

    async def is_listed() -> bool:
        """By whichever process is asked: each follows the offers by itself."""
        offers = (await ask(shop, "ListOffers", pb.ListOffersRequest(sale_id=sale.sale_id))).offers
        return [(offer.sku, offer.name) for offer in offers] == [(sale.sku, "A test phone")]

    await eventually(is_listed)


@pytest.mark.parametrize("role", list(Role))
async def test_every_role_may_look(shop: Shop, role: Role) -> None:
    with pytest.raises(ProductNotFound):
        await ask(shop, "GetProduct", pb.GetProductRequest(sku="no-such-sku"), role)


@pytest.mark.parametrize("query", HOSTILE)
async def test_a_hostile_query_is_only_words(shop: Shop, query: str) -> None:
    answer = await ask(shop, "SearchProducts", pb.SearchProductsRequest(query=query))
    assert len(answer.products) <= 20


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("SearchProducts", pb.SearchProductsRequest(query="x" * 201), "query"),
        ("SearchProducts", pb.SearchProductsRequest(query="a\x00b"), "query"),
        ("SearchProducts", pb.SearchProductsRequest(page_size=-1), "page_size"),
        ("SearchProducts", pb.SearchProductsRequest(page_token="nonsense"), "page_token"),
        ("GetProduct", pb.GetProductRequest(sku=""), "sku"),
        ("ListOffers", pb.ListOffersRequest(sale_id="{}"), "sale_id"),
    ],
)
async def test_a_bad_field_is_named(shop: Shop, method: str, request_: Any, field: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        await ask(shop, method, request_)
    assert [name for name, _ in raised.value.violations] == [field]


async def test_without_a_token_nothing_is_shown(shop: Shop) -> None:
    stub: Any = rpc.CatalogServiceStub(shop.gateway)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.SearchProducts(pb.SearchProductsRequest(), timeout=5)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
