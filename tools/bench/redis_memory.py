"""What an open order costs in Redis: the same adapter and scripts as the sale's, on an empty server."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.stock import keys
from kernel.stock.redis_adapter import MAX_BATCH, RedisStock
from kernel.stock.results import ReserveRequest
from meshkit.redis_client import redis_pool
from tools.devstack import down, up
from tools.devstack.archive import free_base
from tools.devstack.spec import Mesh

LIMIT_BYTES = 640
OFFER = Offer(1, "sale-bench", "sku-bench", 49_900, "EUR", 1, 450, 1, 1, 1)
# As large as an order's event is with an address of usual length.
EVENT = b"\x0a" * 320
DEADLINE_MS = 600_000


@dataclass(frozen=True)
class Memory:
    """Bytes an order. `parts`: by `MEMORY USAGE`, the idempotency key's by one of them."""

    open_bytes: float
    in_outbox_bytes: float
    parts: dict[str, float]


async def measure(orders: int) -> Memory:
    """Starts a Redis in a folder and on a port of its own, and ends it."""
    with tempfile.TemporaryDirectory(prefix="peakmesh-") as folder:
        mesh = Mesh(Path(folder), free_base(Path(folder)))
        try:
            up(mesh.run_dir, mesh.port_base, ["redis"], lambda _: None)
            async with redis_pool(mesh.settings.redis) as redis:
                return await _measure(redis, orders)
        finally:
            down(mesh.run_dir, mesh.port_base)


async def _measure(redis: Redis, orders: int) -> Memory:
    stock = RedisStock(redis)
    await stock.open_offer(OFFER, orders, 0, 0)
    await stock.reserve(OFFER.offer_no, 0, 1, [_request()])  # the scripts are loaded, the buffers have their size
    before = await _used(redis)
    entries: list[str] = []
    for start in range(0, orders - 1, MAX_BATCH):
        count = min(MAX_BATCH, orders - 1 - start)
        results = await stock.reserve(OFFER.offer_no, 0, 1, [_request() for _ in range(count)])
        entries += [result.entry_id for result in results]
    waiting = await _used(redis)
    await stock.outbox_delete(OFFER.offer_no, 0, 1, entries)
    settled = await _used(redis)
    return Memory((settled - before) / len(entries), (waiting - before) / len(entries), await _parts(redis, orders))


async def _parts(redis: Redis, orders: int) -> dict[str, float]:
    slot = (OFFER.offer_no, 0)
    named = {"reservation": keys.reservations(*slot), "limit": keys.holdings(*slot), "deadline": keys.deadlines(*slot)}
    found = {name: float(await _usage(redis, key)) / orders for name, key in named.items()}
    async for key in redis.scan_iter("idm:*", count=1):
        return found | {"idempotency key": float(await _usage(redis, key))}
    return found


async def _usage(redis: Redis, key: Any) -> int:
    return int(await redis.memory_usage(key, samples=0) or 0)


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


def _request() -> ReserveRequest:
    return ReserveRequest(
        order_id=new_order_id(OFFER.offer_no, 0),
        user_id=f"buyer-{uuid4().hex[:8]}",
        request_id=str(uuid4()),
        request_hash=uuid4().hex,
        quantity=1,
        price_version=1,
        event=EVENT,
        deadline_after_ms=DEADLINE_MS,
        answer="",
    )
