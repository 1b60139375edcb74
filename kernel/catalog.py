"""The catalogue as Redis carries it, so that checkout lives without the database; SQL is the truth.

catalog:products  HASH    sku -> product as JSON
catalog:changes   ZSET    sku -> the catalogue's version that changed it last
catalog:edition   STRING  copy|version, written last: the other two hold every change up to the version

The governor writes them. A copy begun anew, as after a loss of Redis, has another name: whoever read half of the old
one, or has it in memory, starts anew too.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from redis.asyncio import Redis

PRODUCTS_KEY, CHANGES_KEY, EDITION_KEY = "catalog:products", "catalog:changes", "catalog:edition"
# Redis serves nobody else meanwhile: 500 products are about 1 ms of its time.
PART = 500


@dataclass(frozen=True, slots=True)
class Product:
    """A product at its list price, in minor units of `currency`. `product_no` counts them in the order of import."""

    product_no: int
    sku: str
    name: str
    price_minor: int
    currency: str
    price_version: int
    weight_grams: int
    seller_id: str


@dataclass(frozen=True, slots=True)
class Edition:
    """Which copy of the catalogue Redis holds, and up to which version of it."""

    copy: str
    version: int


def encode(product: Product) -> str:
    return json.dumps(asdict(product), ensure_ascii=False, separators=(",", ":"))


def decode(text: str | bytes) -> Product:
    """Raises ValueError for anything that is not a product as `encode` writes it; unknown fields are passed over."""
    try:
        given = json.loads(text)
        return Product(**{name: given[name] for name in Product.__dataclass_fields__})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a product: {text[:200]!r}") from error


def _edition(text: Any) -> Edition | None:
    copy, _, version = (text or b"").decode().partition("|")
    return Edition(copy, int(version)) if version else None


async def whole_edition(redis: Redis) -> Edition | None:
    """None where Redis has none, or lost a part of it."""
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.get(EDITION_KEY)
        pipeline.hlen(PRODUCTS_KEY)
        pipeline.zcard(CHANGES_KEY)
        text, products, changes = await pipeline.execute()
    edition = _edition(text)
    whole = edition is not None and products == changes and (products > 0 or edition.version <= 1)
    return edition if whole else None


async def unpublish(redis: Redis) -> None:
    """Readers keep what they have until there is an edition again."""
    await redis.unlink(EDITION_KEY, PRODUCTS_KEY, CHANGES_KEY)


async def publish_part(redis: Redis, changed: Sequence[tuple[Product, int]]) -> None:
    """Products, each with the version that changed it; at most PART. Repeatable."""
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.hset(PRODUCTS_KEY, mapping={product.sku: encode(product) for product, _ in changed})
        pipeline.zadd(CHANGES_KEY, {product.sku: version for product, version in changed})
        await pipeline.execute()


async def publish_edition(redis: Redis, edition: Edition) -> None:
    """To be called once every part of it has been published."""
    await redis.set(EDITION_KEY, f"{edition.copy}|{edition.version}")


async def read_edition(redis: Redis) -> Edition | None:
    """None where nothing is published. What is read of the products is whole where the copy is the same after it."""
    return _edition(await redis.get(EDITION_KEY))


async def read_all(redis: Redis) -> AsyncIterator[list[bytes]]:
    """Every product, encoded, part by part; one may come twice."""
    cursor = 0
    while True:
        reply: Any = await redis.hscan(PRODUCTS_KEY, cursor, count=PART)
        cursor, part = reply
        if part:
            yield list(part.values())
        if cursor == 0:
            return


async def read_changed(redis: Redis, after: int, upto: int) -> AsyncIterator[list[bytes]]:
    """The products, encoded, that versions after < v <= upto changed last, part by part. What changes meanwhile may be
    left out: it belongs to a version above `upto`."""
    while after < upto:
        low = f"({after}"
        found: Any = await redis.zrangebyscore(CHANGES_KEY, low, upto, start=0, num=PART, withscores=True)
        if not found:
            return
        skus, after = await _whole_versions(redis, [(sku, int(score)) for sku, score in found], upto)
        for start in range(0, len(skus), PART):
            values: Any = await redis.hmget(PRODUCTS_KEY, skus[start : start + PART])
            yield [value for value in values if value is not None]


async def _whole_versions(redis: Redis, found: Sequence[tuple[bytes, int]], upto: int) -> tuple[list[bytes], int]:
    """The SKUs of as many whole versions as were found, and the last of those versions.

    Whole ones, since an offset into one would shift when a product of it changes again. One import is a version of at
    most 10,000 products: 2 ms of Redis' time.
    """
    if len(found) < PART:
        return [sku for sku, _ in found], upto
    first, last = found[0][1], found[-1][1]
    if first < last:
        return [sku for sku, version in found if version < last], last - 1
    whole: Any = await redis.zrangebyscore(CHANGES_KEY, first, first)
    return list(whole), first
