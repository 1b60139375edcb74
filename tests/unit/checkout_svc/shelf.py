"""A catalogue that a test writes, in place of Redis."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from checkout_svc.catalog import CatalogFeed
from checkout_svc.product_index import ProductIndex
from kernel.catalog import PART, Edition, Product, encode


def product(number: int, name: str, minor: int = 1000, sku: str = "", currency: str = "EUR") -> Product:
    return Product(number, sku or f"sku-{number}", name, minor, currency, 1, 100, "seller-1")


def index_of(products: Iterable[Product]) -> ProductIndex:
    index = ProductIndex()
    index.put(encode(each).encode() for each in products)
    return index


@dataclass
class Shelf:
    """What the governor would have published; `put` is an import."""

    copy: str = "first"
    version: int = 0
    products: dict[str, tuple[Product, int]] = field(default_factory=dict)
    everything_reads: int = 0
    _encoded: dict[str, bytes] = field(default_factory=dict)

    def put(self, *products: Product) -> None:
        self.version += 1
        self.products |= {each.sku: (each, self.version) for each in products}
        self._encoded |= {each.sku: encode(each).encode() for each in products}

    async def edition(self) -> Edition | None:
        return Edition(self.copy, self.version) if self.version else None

    async def everything(self) -> AsyncIterator[list[bytes]]:
        self.everything_reads += 1
        async for part in self.changed(0, self.version):
            yield part

    async def changed(self, after: int, _upto: int) -> AsyncIterator[list[bytes]]:
        part: list[bytes] = []
        for sku, (_, version) in self.products.items():
            if version > after:
                part.append(self._encoded[sku])
            if len(part) == PART:
                yield part
                part = []
        yield part

    def feed(self) -> CatalogFeed:
        return CatalogFeed(self.edition, self.everything, self.changed)
