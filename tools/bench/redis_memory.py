"""What an open order costs in Redis: the same adapters and scripts as the sale's, on an empty server."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from redis.asyncio import Redis

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.stock.redis_adapter import MAX_BATCH, RedisStock
from kernel.stock.results import ReserveRequest
from kernel.vouchers.records import Limits
from kernel.vouchers.redis_holds import Grant, RedisHolds
from meshkit.redis_client import redis_pool
from tools.devstack import down, up
from tools.devstack.archive import free_base
from tools.devstack.spec import Mesh
from tools.sale.redis_memory import order_parts

OFFER = Offer(1, "sale-bench", "sku-bench", 49_900, "EUR", 1, 450, 1, 1, 1)
# As large as an order's event is with an address of usual length.
EVENT = b"\x0a" * 320
DEADLINE_MS = 600_000
CODE = "BENCH"


@dataclass(frozen=True)
class Memory:
    """Bytes an order. `hold_bytes`: what a voucher with limits adds. `parts`: of an open order, by `MEMORY USAGE`."""

    open_bytes: float
    in_outbox_bytes: float
    hold_bytes: float
    parts: dict[str, float]


async def measure(orders: int) -> Memory:
    """Starts a Redis in a folder and on a port of its own, and ends it."""
    with tempfile.TemporaryDirectory(prefix="peakmesh-") as folder:
        mesh = Mesh(Path(folder), free_base(Path(folder)))
        try:
            up(mesh.run_dir, mesh.port_base, ["redis"], lambda _: None)
            async with redis_pool(mesh.settings.redis) as redis:
                return await measure_on(redis, orders)
        finally:
            down(mesh.run_dir, mesh.port_base)


def _uuid() -> str:
    return str(uuid4())


async def measure_on(redis: Redis, orders: int, user: Callable[[], str] = _uuid) -> Memory:
    """On an empty server. `user` makes a user_id, whose length counts twice; identity providers give UUIDs."""
    stock = RedisStock(redis)
    await stock.open_offer(OFFER, orders + 1, 0, 0)
    await stock.reserve(OFFER.offer_no, 0, 1, [_request(user())])  # the scripts are loaded, the buffers have their size
    before = await _used(redis)
    wishes = [_request(user()) for _ in range(orders)]
    entries: list[str] = []
    for start in range(0, orders, MAX_BATCH):
        results = await stock.reserve(OFFER.offer_no, 0, 1, wishes[start : start + MAX_BATCH])
        entries += [result.entry_id for result in results]
    waiting = await _used(redis)
    await stock.outbox_delete(OFFER.offer_no, 0, 1, entries)
    settled = await _used(redis)
    parts = await order_parts(redis, [(OFFER.offer_no, 0)], samples=0)
    await _hold(RedisHolds(redis), wishes)
    held = await _used(redis)
    return Memory((settled - before) / orders, (waiting - before) / orders, (held - settled) / orders, parts)


async def _hold(holds: RedisHolds, wishes: list[ReserveRequest]) -> None:
    await holds.set_limits(CODE, Limits(None, len(wishes), 1), opened=True)
    for wish in wishes:
        grant = Grant(wish.order_id, wish.user_id, 1_000)
        await holds.take(CODE, grant, DEADLINE_MS, f"{wish.request_id}:{wish.request_hash}")


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


def _request(user_id: str) -> ReserveRequest:
    return ReserveRequest(
        order_id=new_order_id(OFFER.offer_no, 0),
        user_id=user_id,
        request_id=str(uuid4()),
        request_hash=uuid4().hex,
        quantity=1,
        price_version=1,
        event=EVENT,
        deadline_after_ms=DEADLINE_MS,
        answer="",
    )
