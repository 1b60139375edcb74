"""Requests of CatalogService, checked, as the domain's questions."""

import unicodedata
from dataclasses import dataclass

from google.type.money_pb2 import Money

from checkout_svc.page_tokens import read_offers_token, read_search_token
from checkout_svc.search_index import ANY_PRICE, Place, Wanted
from checkout_svc.shown_product import StockState
from meshkit.money import to_minor
from meshkit.rpc.fields import Fields
from peakmesh.checkout.v1 import catalog_service_pb2 as pb

LONGEST_QUERY = 200
# Far above any price, and far below what SQLite's integers end at.
_MOST_MINOR = 10**15


@dataclass(frozen=True, slots=True)
class SearchPage:
    wanted: Wanted
    size: int
    after: Place | None


@dataclass(frozen=True, slots=True)
class OffersPage:
    """`sale_id` empty: of all sales. Offers with a number above `after`."""

    sale_id: str
    size: int
    after: int


def search_page(request: pb.SearchProductsRequest) -> SearchPage:
    """Raises InvalidFields."""
    fields = Fields()
    fields.require(len(request.query) <= LONGEST_QUERY, "query", f"must be at most {LONGEST_QUERY} characters")
    control = any(unicodedata.category(letter) == "Cc" for letter in request.query)
    fields.require(not control, "query", "must not hold control characters")
    low = _price(fields, "min_price", request.min_price) if request.HasField("min_price") else 0
    high = _price(fields, "max_price", request.max_price) if request.HasField("max_price") else ANY_PRICE
    currencies = {each.currency_code for each in (request.min_price, request.max_price) if each.currency_code}
    if low is not None and high is not None:
        # What is wrong with one of them would be told of both.
        same = len(currencies) <= 1
        fields.require(same, "max_price", "must be in the currency of min_price")
        fields.require(low <= high or not same, "max_price", "must not be below min_price")
    fields.require(request.stock_state in pb.StockState.values(), "stock_state", "is not a StockState")
    size = fields.page_size(request.page_size, 20, 100)
    fields.check()
    state = StockState(request.stock_state) if request.stock_state else None
    wanted = Wanted(request.query, currencies.pop() if currencies else "", low or 0, high or 0, state)
    return SearchPage(wanted, size, read_search_token(request.page_token, wanted))


def sku(request: pb.GetProductRequest) -> str:
    """Raises InvalidFields."""
    fields = Fields()
    fields.ident("sku", request.sku)
    fields.check()
    return request.sku


def offers_page(request: pb.ListOffersRequest) -> OffersPage:
    """Raises InvalidFields."""
    fields = Fields()
    if request.sale_id:
        fields.ident("sale_id", request.sale_id)
    size = fields.page_size(request.page_size, 50, 200)
    fields.check()
    after = read_offers_token(request.page_token, request.sale_id)
    return OffersPage(request.sale_id, size, after)


def _price(fields: Fields, field: str, price: Money) -> int | None:
    """None where it is none: that is in `fields`."""
    try:
        minor = to_minor(price)
    except ValueError as error:
        fields.require(False, field, str(error))
        return None
    fields.between(field, minor, 0, _MOST_MINOR)
    return minor if 0 <= minor <= _MOST_MINOR else None
