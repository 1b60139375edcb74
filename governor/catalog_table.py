"""Tables `product` and `product_price`: a price once given is never changed, only followed by another version."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from governor.sale import Imported, Product
from kernel.catalog import Product as Published
from kernel.schema import catalog, product, product_price

VERSION_LIMIT = 10_000  # products a version: readers take a version whole
_CHUNK = 1000  # placeholders a statement; 10,000 products are ten statements


async def find_products(connection: AsyncConnection, skus: Sequence[str]) -> dict[str, tuple[Product, int]]:
    """Products with their price_version, by SKU; unknown ones are left out."""
    found: dict[str, tuple[Product, int]] = {}
    for part in _chunks(sorted(skus)):
        for row in await connection.execute(select(product).where(product.c.sku.in_(part))):
            found[row.sku] = (_product(row), row.price_version)
    return found


async def save_products(connection: AsyncConnection, products: Sequence[Product], now_ms: int) -> Imported:
    """Adds what is new, gives a new price_version where price or currency differs, and writes other details over.

    All of it is one new version of the catalogue; products that did not change keep theirs.
    """
    while await adopt_products(connection):
        pass  # else a product of an older build's would be edited before it has a number
    known = await find_products(connection, [each.sku for each in products])
    added = [each for each in products if each.sku not in known]
    kept = [each for each in products if each.sku in known]
    repriced = [each for each in kept if _price(each) != _price(known[each.sku][0])]
    edited = [each for each in kept if each != known[each.sku][0]]
    version = {sku: number for sku, (_, number) in known.items()}
    version |= {each.sku: version.get(each.sku, 0) + 1 for each in (*added, *repriced)}
    now: dict[str, Any] = {"updated_ms": now_ms, "unversioned_at": None}
    if added or edited:
        now["catalog_version"], last_no = await _next_version(connection, len(added))
        number = {each.sku: last_no - i for i, each in enumerate(reversed(added))}
    for part in _chunks(sorted(added, key=_sku)):
        rows = [_row(each, version[each.sku], now) | {"product_no": number[each.sku]} for each in part]
        await connection.execute(insert(product), rows)
    for part in _chunks(sorted(edited, key=_sku)):
        rows = [_row(each, version[each.sku], now) for each in part]
        await connection.execute(_EDIT, [{f"new_{name}": value for name, value in row.items()} for row in rows])
    for part in _chunks(sorted((*added, *repriced), key=_sku)):
        await connection.execute(insert(product_price), [_price_row(each, version[each.sku], now_ms) for each in part])
    return Imported(len(added), len(repriced), len(kept) - len(repriced))


async def adopt_products(connection: AsyncConnection) -> int:
    """Gives what a build without versions wrote a new version, and a number where it has none; returns how many.

    At most VERSION_LIMIT a call. Under the ChangeLock, which every build takes: none writes between read and write.
    """
    found = await connection.execute(
        select(product.c.sku, product.c.product_no).where(_UNVERSIONED).order_by(product.c.sku).limit(VERSION_LIMIT)
    )
    rows = found.all()
    if not rows:
        return 0
    unnumbered = [row.sku for row in rows if row.product_no is None]
    version, last_no = await _next_version(connection, len(unnumbered))
    number = {sku: last_no - i for i, sku in enumerate(reversed(unnumbered))}
    adopted = [{"its_sku": row.sku, "number": number.get(row.sku, row.product_no), "version": version} for row in rows]
    for part in _chunks(adopted):
        await connection.execute(_ADOPT, part)
    return len(rows)


async def has_unversioned(connection: AsyncConnection) -> bool:
    return await connection.scalar(select(product.c.sku).where(_UNVERSIONED).limit(1)) is not None


async def catalog_version(connection: AsyncConnection) -> int:
    """Grows with every import that changes something."""
    return int(await connection.scalar(select(catalog.c.version)) or 0)


async def changed_products(
    connection: AsyncConnection, after: int, last_no: int, upto: int, count: int
) -> list[tuple[Published, int]]:
    """At most `count` products, each with the version that changed it last, in the order of (version, product_no):
    those above (after, last_no), and of no version above `upto`."""
    place = tuple_(product.c.catalog_version, product.c.product_no)
    # The first condition is what MariaDB finds the index by; the second alone would walk it from its start.
    query = select(product).where(
        product.c.catalog_version.between(after, upto), place > tuple_(literal(after), literal(last_no))
    )
    rows = await connection.execute(query.order_by(product.c.catalog_version, product.c.product_no).limit(count))
    names = Published.__dataclass_fields__
    return [(Published(**{name: getattr(row, name) for name in names}), row.catalog_version) for row in rows]


async def _next_version(connection: AsyncConnection, added: int) -> tuple[int, int]:
    """The version of this transaction, and the last product_no with `added` more products."""
    grown = {"version": catalog.c.version + 1, "last_product_no": catalog.c.last_product_no + added}
    await connection.execute(update(catalog).values(grown))
    row = (await connection.execute(select(catalog))).one()
    return row.version, row.last_product_no


_DETAILS = ("name", "price_minor", "currency", "weight_grams", "seller_id")
_COLUMNS = (*_DETAILS, "price_version", "updated_ms", "catalog_version", "unversioned_at")
_EDIT = (
    update(product)
    .where(product.c.sku == bindparam("new_sku"))
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS})
)

_UNVERSIONED = product.c.unversioned_at.is_not(None)
_ADOPT = (
    update(product)
    .where(product.c.sku == bindparam("its_sku"))
    .values(product_no=bindparam("number"), catalog_version=bindparam("version"), unversioned_at=None)
)


def _sku(each: Product) -> str:
    return each.sku


def _price(each: Product) -> tuple[int, str]:
    return each.price_minor, each.currency


def _row(each: Product, version: int, now: dict[str, Any]) -> dict[str, Any]:
    """`now`: what all rows of the change have: updated_ms, catalog_version and no mark."""
    values = {name: getattr(each, name) for name in Product.__dataclass_fields__}
    return values | {"price_version": version, **now}


def _price_row(each: Product, version: int, now_ms: int) -> dict[str, Any]:
    price = {"price_minor": each.price_minor, "currency": each.currency}
    return {"sku": each.sku, "price_version": version, "created_ms": now_ms, **price}


def _product(row: Any) -> Product:
    return Product(**{name: getattr(row, name) for name in Product.__dataclass_fields__})


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
