"""A product as a buyer sees it: the catalogue's, and where and how it can be had now."""

from dataclasses import dataclass
from enum import IntEnum


class StockState(IntEnum):
    """Numbered as the contract's."""

    NOT_ON_SALE = 1
    UPCOMING = 2
    IN_STOCK = 3
    SOLD_OUT = 4


@dataclass(frozen=True, slots=True)
class Availability:
    """The best that the sales offer of one SKU. Sale and price are set when IN_STOCK alone."""

    state: StockState
    sale_id: str = ""
    price_minor: int | None = None
    currency: str | None = None
    price_version: int | None = None


@dataclass(frozen=True, slots=True)
class ShownProduct:
    """Price in minor units of `currency`: in the sale of `sale_id`, else the list price."""

    product_no: int
    sku: str
    name: str
    price_minor: int
    currency: str
    price_version: int
    weight_grams: int
    seller_id: str
    state: StockState
    sale_id: str
