"""Composition root of role `consume`."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.features.follow import following_features
from kernel.stock.port import StockPort
from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDER_WORKER_RESULTS, ORDERS_INTAKE, PAYMENTS_RESULTS, TOPICS
from meshkit.clock import wall_ms
from meshkit.db.durability import check_durability
from meshkit.db.engine import database
from meshkit.kafka.consumer import consuming
from meshkit.kafka.publisher import Publisher, publishing
from meshkit.kafka.topics import ensure_topics
from meshkit.kafka.watchdog import watch
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.ports import nth
from meshkit.redis_client import redis_pool
from order_worker.batch_loop import BatchLoop, Handle
from order_worker.dead_letters import DeadLetters
from order_worker.expire_orders import expire_orders
from order_worker.intake import IntakeBatch
from order_worker.pacing import Pace
from order_worker.reconcile_stock import reconcile_stock
from order_worker.results import ResultsBatch
from order_worker.settings import Settings
from order_worker.sweep_created import SweepCreated
from order_worker.trim_reservations import trim_reservations
from order_worker.upkeep import every, lease_of

# One for each consumer, one for the upkeep, one for a redo while the other rolls back.
POOL_SIZE = 4


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Consumes from entry to exit of the block; a batch in hand at the exit is done again by the next process."""
    name = nth("order_consume", settings.instance)
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        await stack.enter_async_context(following_features(settings))
        engine = await stack.enter_async_context(database(settings.database, pool_size=POOL_SIZE))
        await check_durability(engine, settings.unsafe)
        await ensure_topics(settings.kafka, TOPICS, settings.unsafe)
        stock = RedisStock(await stack.enter_async_context(redis_pool(settings.redis)))
        publisher = await stack.enter_async_context(publishing(settings.kafka, "order_worker"))
        letters = DeadLetters(publisher)
        intake = IntakeBatch(engine, stock, publisher, letters)
        results = ResultsBatch(engine, stock, letters)
        # Only what makes new work for the database is paced; results end orders that hold stock.
        paced = Pace(settings.order_worker_rate, settings.order_worker_batch)
        unpaced = Pace(0, settings.order_worker_batch)
        await stack.enter_async_context(_looping(settings, ORDERS_INTAKE, ORDER_WORKER, intake, paced))
        await stack.enter_async_context(_looping(settings, PAYMENTS_RESULTS, ORDER_WORKER_RESULTS, results, unpaced))
        await stack.enter_async_context(background(*_upkeep(settings, engine, stock, publisher)))
        yield


@asynccontextmanager
async def _looping(settings: Settings, topic: str, group: str, handle: Handle, pace: Pace) -> AsyncIterator[None]:
    loop = BatchLoop(topic, handle, pace)
    async with consuming(settings.kafka, [topic], group, on_revoke=loop.on_revoke) as consumer:
        watching = watch(consumer, topic, lambda: loop.signs_of_life, settings.order_worker_watchdog_seconds)
        async with background(loop.run(consumer), watching):
            yield
            await loop.drain()


def _upkeep(
    settings: Settings, engine: AsyncEngine, stock: StockPort, publisher: Publisher
) -> list[Coroutine[Any, Any, None]]:
    grace_ms = int(settings.order_worker_grace_seconds * 1000)
    keep_ms = int(settings.order_worker_trim_hours * 3_600_000)
    sweeper = SweepCreated(engine, publisher, settings.order_worker_overdue_seconds)
    jobs: list[tuple[str, float, Callable[[], Awaitable[int]]]] = [
        ("expiry", settings.order_worker_expiry_seconds, lambda: expire_orders(engine, stock, wall_ms())),
        (
            "reconciler",
            settings.order_worker_reconcile_seconds,
            lambda: reconcile_stock(engine, stock, wall_ms(), grace_ms),
        ),
        ("trim", settings.order_worker_trim_seconds, lambda: trim_reservations(engine, stock, wall_ms() - keep_ms)),
        ("sweeper", settings.order_worker_sweep_seconds, lambda: sweeper.sweep(wall_ms())),
    ]
    holder = f"{os.getpid()}-{uuid4().hex[:8]}"
    # Three turns long: a holder that died is replaced by the fourth.
    return [every(pause, name, job, lease_of(stock, name, holder, 3 * pause)) for name, pause, job in jobs]
