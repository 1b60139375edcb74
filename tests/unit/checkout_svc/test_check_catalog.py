"""Every bad field of CatalogService is named; a page token is good for its own question alone."""

from typing import Any

import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from checkout_svc import check_catalog
from checkout_svc.page_tokens import offers_token, search_token
from checkout_svc.search_index import Match, Place, Wanted
from checkout_svc.shown_product import StockState
from meshkit.errors import InvalidFields
from peakmesh.checkout.v1 import catalog_service_pb2 as pb

TOKEN = search_token(Place(Match.RANKED, -1.25, 42), Wanted("phone"))


def eur(units: int, nanos: int = 0) -> Money:
    return Money(currency_code="EUR", units=units, nanos=nanos)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"query": "x" * 201}, ["query"]),
        ({"query": "pho\x00ne"}, ["query"]),
        ({"query": "pho\nne"}, ["query"]),
        ({"query": "pho\x9fne"}, ["query"]),
        ({"page_size": -1}, ["page_size"]),
        ({"page_size": -(2**31), "stock_state": 77}, ["stock_state", "page_size"]),
        ({"stock_state": -1}, ["stock_state"]),
        ({"min_price": eur(-1)}, ["min_price"]),
        ({"max_price": eur(2**63 - 1)}, ["max_price"]),
        ({"min_price": Money(currency_code="XXX", units=1)}, ["min_price"]),
        ({"max_price": Money()}, ["max_price"]),
        ({"max_price": eur(1, 5)}, ["max_price"]),
        ({"min_price": eur(2), "max_price": eur(1)}, ["max_price"]),
        ({"min_price": eur(2), "max_price": Money(currency_code="USD", units=3)}, ["max_price"]),
        ({"page_token": "x"}, ["page_token"]),
        ({"page_token": "é"}, ["page_token"]),
        ({"page_token": "A" * 10_000}, ["page_token"]),
        ({"page_token": TOKEN}, ["page_token"]),
        ({"query": "phone", "page_token": TOKEN + "AAAA"}, ["page_token"]),
        ({"query": "phone", "stock_state": pb.STOCK_STATE_IN_STOCK, "page_token": TOKEN}, ["page_token"]),
        ({"query": "phone", "page_token": offers_token(1, "")}, ["page_token"]),
    ],
)
def test_a_bad_field_of_a_search_is_named(fields: dict[str, Any], wrong: list[str]) -> None:
    with pytest.raises(InvalidFields) as raised:
        check_catalog.search_page(pb.SearchProductsRequest(**fields))
    assert [field for field, _ in raised.value.violations] == wrong


def test_a_good_search_is_understood() -> None:
    request = pb.SearchProductsRequest(query="\u00a0phone", min_price=eur(1, 500_000_000), page_size=1000)
    page = check_catalog.search_page(request)
    assert (page.wanted.currency, page.wanted.low, page.size, page.after) == ("EUR", 150, 100, None)
    assert check_catalog.search_page(pb.SearchProductsRequest()).size == 20
    token = check_catalog.search_page(pb.SearchProductsRequest(query="phone", page_token=TOKEN))
    assert token.after == Place(Match.RANKED, -1.25, 42)


@given(st.text(max_size=60), st.binary(max_size=40))
def test_no_forged_token_is_an_internal_error(text: str, raw: bytes) -> None:
    for token in (text, raw.hex()):
        if token and token != TOKEN:
            with pytest.raises(InvalidFields):
                check_catalog.search_page(pb.SearchProductsRequest(query="phone", page_token=token))
            with pytest.raises(InvalidFields):
                check_catalog.offers_page(pb.ListOffersRequest(page_token=token))


@pytest.mark.parametrize("sku", ["", "a b", "x" * 65, "a{1}", "é"])
def test_a_bad_sku_is_named(sku: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        check_catalog.sku(pb.GetProductRequest(sku=sku))
    assert [field for field, _ in raised.value.violations] == ["sku"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"sale_id": "{x}"}, "sale_id"),
        ({"page_size": -5}, "page_size"),
        ({"page_token": "?"}, "page_token"),
        ({"sale_id": "other", "page_token": offers_token(7, "sale-1")}, "page_token"),
    ],
)
def test_a_bad_field_of_a_listing_is_named(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        check_catalog.offers_page(pb.ListOffersRequest(**fields))
    assert [field for field, _ in raised.value.violations] == [wrong]


def test_stock_states_are_numbered_as_the_contract() -> None:
    contract = {name.removeprefix("STOCK_STATE_"): value for name, value in pb.StockState.items()}
    assert contract == {"UNSPECIFIED": 0} | {state.name: state.value for state in StockState}
