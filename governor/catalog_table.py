"""Tables `product` and `product_price`: a price once given is never changed, only followed by another version."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from governor.sale import Imported, Product
from kernel.schema import product, product_price

_CHUNK = 1000  # placeholders a statement; 10,000 products are ten statements


async def find_products(connection: AsyncConnection, skus: Sequence[str]) -> dict[str, tuple[Product, int]]:
    """Products with their price_version, by SKU; unknown ones are left out."""
    found: dict[str, tuple[Product, int]] = {}
    for part in _chunks(sorted(skus)):
        for row in await connection.execute(select(product).where(product.c.sku.in_(part))):
            found[row.sku] = (_product(row), row.price_version)
    return found


async def save_products(connection: AsyncConnection, products: Sequence[Product], now_ms: int) -> Imported:
    """Adds what is new, gives a new price_version where price or currency differs, and writes other details over."""
    known = await find_products(connection, [each.sku for each in products])
    added = [each for each in products if each.sku not in known]
    kept = [each for each in products if each.sku in known]
    repriced = [each for each in kept if _price(each) != _price(known[each.sku][0])]
    edited = [each for each in kept if each != known[each.sku][0]]
    version = {sku: number for sku, (_, number) in known.items()}
    version |= {each.sku: version.get(each.sku, 0) + 1 for each in (*added, *repriced)}
    for part in _chunks(sorted(added, key=_sku)):
        await connection.execute(insert(product), [_row(each, version[each.sku], now_ms) for each in part])
    for part in _chunks(sorted(edited, key=_sku)):
        rows = [_row(each, version[each.sku], now_ms) for each in part]
        await connection.execute(_EDIT, [{f"new_{name}": value for name, value in row.items()} for row in rows])
    for part in _chunks(sorted((*added, *repriced), key=_sku)):
        await connection.execute(insert(product_price), [_price_row(each, version[each.sku], now_ms) for each in part])
    return Imported(len(added), len(repriced), len(kept) - len(repriced))


_COLUMNS = ("name", "price_minor", "currency", "weight_grams", "seller_id", "price_version", "updated_ms")
_EDIT = (
    update(product)
    .where(product.c.sku == bindparam("new_sku"))
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS})
)


def _sku(each: Product) -> str:
    return each.sku


def _price(each: Product) -> tuple[int, str]:
    return each.price_minor, each.currency


def _row(each: Product, version: int, now_ms: int) -> dict[str, Any]:
    values = {name: getattr(each, name) for name in Product.__dataclass_fields__}
    return values | {"price_version": version, "updated_ms": now_ms}


def _price_row(each: Product, version: int, now_ms: int) -> dict[str, Any]:
    price = {"price_minor": each.price_minor, "currency": each.currency}
    return {"sku": each.sku, "price_version": version, "created_ms": now_ms, **price}


def _product(row: Any) -> Product:
    return Product(**{name: getattr(row, name) for name in Product.__dataclass_fields__})


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
