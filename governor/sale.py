"""Sales and their offers, as the governor knows them. Times in Unix milliseconds; closes_ms 0: until closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kernel.offers import Offer

BUCKETS = 1  # fixed for the life of a sale; more need a transfer ledger between them


class SaleState(StrEnum):
    """The ones in -ING: SQL has it, Redis may not yet. Only an OPENING sale can never have sold anything, so only
    its stock may be written to Redis from SQL; after that a loss is the rebuild's to repair."""

    OPENING = "OPENING"
    OPEN = "OPEN"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    RESUMING = "RESUMING"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class OfferSpec:
    sku: str
    units: int
    limit_per_user: int


@dataclass(frozen=True, slots=True)
class NewSale:
    offers: Sequence[OfferSpec]
    opens_ms: int
    closes_ms: int


@dataclass(frozen=True, slots=True)
class Units:
    """available + reserved + sold are the units on sale."""

    available: int = 0
    reserved: int = 0
    sold: int = 0


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer with its units on sale, and what the database counts of them."""

    offer: Offer
    initial: int
    reserved: int = 0
    sold: int = 0

    @property
    def units(self) -> Units:
        return Units(self.initial - self.reserved - self.sold, self.reserved, self.sold)


@dataclass(frozen=True, slots=True)
class Sale:
    sale_id: str
    state: SaleState
    opens_ms: int
    closes_ms: int
    offers: Sequence[OfferRow]

    def is_over(self, now_ms: int) -> bool:
        return 0 < self.closes_ms <= now_ms


@dataclass(frozen=True, slots=True)
class SaleView:
    """A sale with its units as Redis has them, by offer_no. `lost`: offers that Redis has not, or of another epoch."""

    sale: Sale
    redis: dict[int, Units]
    lost: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Product:
    """Price in minor units of `currency`."""

    sku: str
    name: str
    price_minor: int
    currency: str
    weight_grams: int
    seller_id: str


@dataclass(frozen=True, slots=True)
class Imported:
    added: int = 0
    repriced: int = 0
    unchanged: int = 0
