"""What an order of these offers takes of Redis, by `MEMORY USAGE`."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.schema import offer
from kernel.stock import keys

# One key of the main table: its slots there and in the table of what expires, which MEMORY USAGE leaves out.
_TABLES_BYTES = 56
_LOOKS = 50


async def sale_order_parts(engine: AsyncEngine, redis: Redis, sale_id: str) -> dict[str, int]:
    """Of the sale's orders as they are now: right after the crowd, most are open."""
    async with engine.connect() as connection:
        query = select(offer.c.offer_no, offer.c.buckets).where(offer.c.sale_id == sale_id).order_by(offer.c.offer_no)
        offers = (await connection.execute(query)).all()
    slots = [(row.offer_no, bucket) for row in offers for bucket in range(row.buckets)]
    return {name: round(size) for name, size in (await order_parts(redis, slots)).items()}


async def order_parts(redis: Redis, slots: Sequence[tuple[int, int]], samples: int = 100) -> dict[str, float]:
    """Bytes an order by what they are for; empty where there is no order. `samples`: fields looked at a hash, 0: all.

    One idempotency key stands for all: they are of one length.
    """
    found: dict[str, float] = {}
    named = {"reservation": keys.reservations, "limit": keys.holdings, "deadline": keys.deadlines}
    for name, key in named.items():
        sizes = [await _size(redis, key(*slot), samples) for slot in slots]
        count = sum(members for _, members in sizes)
        if count:
            found[name] = sum(taken for taken, _ in sizes) / count
    if found and (key_bytes := await _idempotency_bytes(redis, slots[0])):
        found["idempotency key"] = key_bytes
    return found


async def _size(redis: Redis, key: str, samples: int) -> tuple[int, int]:
    """(bytes, members)."""
    taken = int(await redis.memory_usage(key, samples=samples) or 0)
    kind: Any = await redis.type(key)
    count: Any = await (redis.zcard(key) if kind == b"zset" else redis.hlen(key))
    return taken, int(count)


async def _idempotency_bytes(redis: Redis, slot: tuple[int, int]) -> float:
    """0 where none is met soon: a sale long over has none, and Redis is not searched for one."""
    cursor, pattern = 0, f"{keys.name('idm', *slot)}:*"
    for _ in range(_LOOKS):
        cursor, names = await redis.scan(cursor, match=pattern, count=1000)
        if names:
            return float(await redis.memory_usage(names[0]) or 0) + _TABLES_BYTES
        if cursor == 0:
            break
    return 0
