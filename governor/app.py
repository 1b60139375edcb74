"""Composition root of the governor; the tests use the same one."""

import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2_grpc as sync_rpc
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from governor.change_lock import ChangeLock
from governor.close_sale import CloseSale
from governor.envoy_runtime import EnvoyRuntime
from governor.flag_sync_servicer import SERVICE as SYNC_SERVICE
from governor.flag_sync_servicer import FlagSyncServicer
from governor.get_sale import GetSale
from governor.govern import Govern
from governor.heal_catalog import HealCatalog
from governor.heal_sales import HealSales
from governor.import_catalog import ImportCatalog
from governor.intake_markers import IntakeMarkers
from governor.list_sales import ListSales
from governor.load_offer import LoadOffer
from governor.messages import OPEN_SALE_ANSWER
from governor.open_sale import OpenSale
from governor.pause_sale import PAUSE, RESUME, PauseOrResume
from governor.publish_catalog import PublishCatalog
from governor.read_signals import ReadSignals
from governor.rebuild_stock import RebuildStock
from governor.sale_stock import SaleStock
from governor.servicer import OpsServicer, UseCases
from governor.set_stock import SetStock
from governor.settings import Settings
from governor.settle_sale import SettleSale
from governor.switch_features import LogOnly
from governor.tier_policy import load_policy
from governor.tier_servicer import METHODS as TIER_METHODS
from governor.tier_servicer import SERVICE as TIER_SERVICE
from governor.tier_servicer import TierServicer
from governor.tier_store import TierStore
from governor.toggle_feed import ToggleFeed
from governor.toggle_servicer import METHODS as TOGGLE_METHODS
from governor.toggle_servicer import SERVICE as TOGGLE_SERVICE
from governor.toggle_servicer import ToggleServicer
from governor.toggles import Toggles
from kernel.features import features
from kernel.stock.durability import check_durability as check_redis
from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from kernel.vouchers.redis_holds import RedisHolds
from meshkit.clock import wall_ms
from meshkit.db.durability import check_durability as check_database
from meshkit.db.engine import database
from meshkit.identity import Role, TokenVerifier
from meshkit.kafka.queue_estimate import QueueEstimate
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.ports import nth
from meshkit.redis_client import redis_pool
from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import serving
from peakmesh.ops.v1 import ops_service_pb2_grpc as rpc
from peakmesh.ops.v1 import tier_service_pb2_grpc as tier_rpc
from peakmesh.ops.v1 import toggle_service_pb2_grpc as toggle_rpc

SERVICE = "peakmesh.ops.v1.OpsService"
METHODS = (
    "OpenSale",
    "CloseSale",
    "PauseSale",
    "ResumeSale",
    "GetSale",
    "ListSales",
    "SetStock",
    "ImportCatalog",
    "RebuildStock",
)
_OPERATORS = frozenset({Role.OPERATOR})
ROLES = {f"/{SERVICE}/{method}": _OPERATORS for method in METHODS}
ROLES |= {f"/{TOGGLE_SERVICE}/{method}": _OPERATORS for method in TOGGLE_METHODS}
ROLES |= {f"/{TIER_SERVICE}/{method}": _OPERATORS for method in TIER_METHODS}
# Our own processes read their flags here; no public route leads to it.
INTERNAL = frozenset(f"/{SYNC_SERVICE}/{method}" for method in ("SyncFlags", "FetchAllFlags", "GetMetadata"))
# 10,000 products of about 350 bytes.
_MAX_REQUEST_BYTES = 4 * 1024 * 1024


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves until the block is left; yields the port. Raises where a server's settings could lose orders, and
    PolicyRefused for a policy that is wrong."""
    name = nth("governor", settings.instance)
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        engine = await stack.enter_async_context(database(settings.database))
        redis = await stack.enter_async_context(redis_pool(settings.redis))
        await check_redis(redis, settings.unsafe)
        await check_database(engine, settings.unsafe)
        lock = ChangeLock(engine, settings.governor_lock_seconds)
        stock = SaleStock(redis, RedisStock(redis))
        settle = SettleSale(engine, stock)
        publish = PublishCatalog(engine, redis)
        rebuild = _rebuild(settings, engine, lock, redis)
        servicer = OpsServicer(_use_cases(engine, lock, settle, stock, publish, rebuild), wall_ms)
        toggles = Toggles(redis, wall_ms)
        feed = ToggleFeed(toggles, EnvoyRuntime(settings.toggles_file).write)
        heals = (HealSales(engine, lock, settle), HealCatalog(lock, publish), rebuild)
        tiers = TierStore(redis, f"{os.getpid()}-{uuid4().hex[:8]}", dry_run=settings.governor_dry_run)
        parts = [
            feed.run(),
            *_governing(settings, tiers, toggles),
            *(heal.run(settings.governor_heal_seconds) for heal in heals),
        ]
        await stack.enter_async_context(background(*parts))
        served = _serving(servicer, ToggleServicer(toggles, wall_ms), TierServicer(tiers), feed, settings)
        port = await stack.enter_async_context(served)
        stack.push_async_callback(feed.close)
        yield port


def _governing(settings: Settings, tiers: TierStore, toggles: Toggles) -> tuple[Coroutine[Any, Any, None], ...]:
    """The control loop and what it reads."""
    policy = load_policy(settings.policy_file, features())
    queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
    signals = ReadSignals(settings.checkout_metrics, queue, policy.window_seconds)
    govern = Govern(policy, tiers, signals, LogOnly() if settings.governor_dry_run else toggles, features())
    return queue.run(), signals.run(), govern.run()


def _use_cases(
    engine: AsyncEngine,
    lock: ChangeLock,
    settle: SettleSale,
    stock: SaleStock,
    publish: PublishCatalog,
    rebuild: RebuildStock,
) -> UseCases:
    return UseCases(
        open_sale=OpenSale(engine, lock, settle, OPEN_SALE_ANSWER),
        close_sale=CloseSale(engine, lock, settle, stock),
        pause_sale=PauseOrResume(PAUSE, engine, lock, settle, stock),
        resume_sale=PauseOrResume(RESUME, engine, lock, settle, stock),
        get_sale=GetSale(settle, stock),
        list_sales=ListSales(engine),
        set_stock=SetStock(engine, lock, settle, stock),
        import_catalog=ImportCatalog(engine, lock, publish),
        rebuild_stock=rebuild,
    )


def _rebuild(settings: Settings, engine: AsyncEngine, lock: ChangeLock, redis: Redis) -> RebuildStock:
    sales, markers = SaleStock(redis, RedisStock(redis)), IntakeMarkers(settings.kafka, engine)
    load = LoadOffer(engine, RedisStock(redis), sales)
    return RebuildStock(
        engine, lock, sales, markers, load, RedisHolds(redis).forget_all, settings.accept_budget_ms / 1000
    )


@asynccontextmanager
async def _serving(
    ops: OpsServicer, toggles: ToggleServicer, tiers: TierServicer, feed: ToggleFeed, settings: Settings
) -> AsyncIterator[int]:
    def register(server: grpc.aio.Server) -> None:
        rpc.add_OpsServiceServicer_to_server(ops, server)
        toggle_rpc.add_ToggleServiceServicer_to_server(toggles, server)
        tier_rpc.add_TierServiceServicer_to_server(tiers, server)
        sync_rpc.add_FlagSyncServiceServicer_to_server(FlagSyncServicer(feed), server)

    server = serving(
        port=settings.ports[nth("governor", settings.instance)],
        register=register,
        services=[SERVICE, TOGGLE_SERVICE, TIER_SERVICE, SYNC_SERVICE],
        access=Access(TokenVerifier(settings.jwks), ROLES, INTERNAL),
        at_once=AtOnce(settings.governor_rpcs),
        drain_seconds=settings.drain_seconds,
        max_request_bytes=_MAX_REQUEST_BYTES,
    )
    async with server as port:
        yield port
