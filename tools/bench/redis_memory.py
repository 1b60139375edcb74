"""What an open order costs in Redis: the same adapters and scripts as the sale's, on an empty server."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from redis.asyncio import Redis

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.stock import keys
from kernel.stock.redis_adapter import MAX_BATCH, RedisStock
from kernel.stock.results import ReserveRequest
from kernel.vouchers.records import Limits
from kernel.vouchers.redis_holds import Grant, RedisHolds, TakeKind
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
# Orders reserved at once. Memory is looked at after each batch: a table that just doubled has two arrays for a while.
BATCH = 64
# The connection's buffers grow and shrink meanwhile, and are counted: of fewer orders they would be a part that shows.
FEWEST = 8_000


@dataclass(frozen=True)
class Memory:
    """Bytes an order. `open_bytes`: by how many are open, a look a batch. `outbox_bytes`: while its event is there,
    `hold_bytes`: with a voucher that has limits, both come on top. `parts`: of an open order at the end, by
    `MEMORY USAGE`."""

    open_bytes: Mapping[int, float]
    outbox_bytes: float
    hold_bytes: float
    parts: Mapping[str, float]

    @property
    def most_at(self) -> int:
        """How many are open when one takes most."""
        return max(self.open_bytes, key=self.open_bytes.__getitem__)

    @property
    def most_bytes(self) -> float:
        return max(self.open_bytes.values())

    @property
    def least_bytes(self) -> float:
        return min(self.open_bytes.values())


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
    await stock.open_offer(OFFER, orders + 2 * BATCH + MAX_BATCH, 0, 0)
    await _place(stock, [_request(user()) for _ in range(BATCH)])  # scripts are loaded, buffers have their size
    before = await _used(redis)
    wishes: list[ReserveRequest] = []
    open_bytes: dict[int, float] = {}
    while len(wishes) < orders:
        batch = [_request(user()) for _ in range(BATCH)]
        await _place(stock, batch)
        wishes += batch
        if len(wishes) >= min(FEWEST, orders):
            open_bytes[len(wishes)] = (await _used(redis) - before) / len(wishes)
    parts = await order_parts(redis, [(OFFER.offer_no, 0)], samples=0)
    settled = await _used(redis)
    await _hold(RedisHolds(redis), wishes)
    hold_bytes = (await _used(redis) - settled) / len(wishes)
    await stock.reserve(OFFER.offer_no, 0, 1, [_request(user()) for _ in range(MAX_BATCH)])
    outbox = await redis.memory_usage(keys.outbox(OFFER.offer_no, 0), samples=0)
    return Memory(open_bytes, int(outbox or 0) / MAX_BATCH, hold_bytes, parts)


async def _place(stock: RedisStock, wishes: list[ReserveRequest]) -> None:
    """Reserved, and in Kafka: out of the outbox."""
    entries = [result.entry_id for result in await stock.reserve(OFFER.offer_no, 0, 1, wishes)]
    await stock.outbox_delete(OFFER.offer_no, 0, 1, entries)


async def _hold(holds: RedisHolds, wishes: list[ReserveRequest]) -> None:
    for _ in range(2):  # one whose counters were made just now stays closed
        await holds.set_limits(CODE, Limits(None, len(wishes), 1), opened=True)
    for wish in wishes:
        grant = Grant(wish.order_id, wish.user_id, 1_000)
        taken = await holds.take(CODE, grant, DEADLINE_MS, f"{wish.request_id}:{wish.request_hash}")
        if taken.kind is not TakeKind.GRANTED:
            raise RuntimeError(f"no hold to measure: {taken.kind}")


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
