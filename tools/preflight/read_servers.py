"""Redis, the database and the machine, read-only."""

import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from redis.asyncio import Redis
from sqlalchemy import inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import kernel.migrations
from kernel.offers import Offer, load_offers
from kernel.schema import offer, sale
from kernel.stock.durability import REQUIRED
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.results import Counters
from tools.preflight.facts import HostFacts, OfferOnSale, RedisServer, SaleFacts, SqlServer, StockFacts

_OFFER = tuple(Offer.__dataclass_fields__)


async def clock_off(read_ms: Callable[[], Awaitable[float]]) -> float:
    """That clock minus ours, at the middle of the fastest of three reads: a slow answer is not a slow clock."""
    looks = []
    for _ in range(3):
        before = time.time()
        theirs = await read_ms()
        after = time.time()
        looks.append((after - before, theirs - (before + after) * 500))
    return min(looks)[1]


async def read_redis(redis: Redis) -> RedisServer:
    async def now_ms() -> float:
        seconds, micros = await redis.time()
        return int(seconds) * 1000 + int(micros) / 1000

    config: Any = await redis.config_get(*REQUIRED)
    info: Any = await redis.info()
    return RedisServer(
        settings={_text(name): _text(value) for name, value in config.items()},
        role=info["role"],
        used_bytes=info["used_memory"],
        limit_bytes=info["maxmemory"] or info["total_system_memory"],
        aof_ok=info.get("aof_last_write_status", "ok") == "ok",
        clock_off_ms=await clock_off(now_ms),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


async def read_sql(engine: AsyncEngine, wanted: str | None) -> SqlServer:
    async with engine.connect() as connection:

        async def now_ms() -> float:
            return float(await connection.scalar(text("SELECT UNIX_TIMESTAMP(NOW(6))")) or 0) * 1000

        flush = await connection.scalar(text("SELECT @@innodb_flush_log_at_trx_commit"))
        off = await clock_off(now_ms)
        revision = await _revision(connection)
        sales = await _sales(connection, wanted) if revision else []
    return SqlServer(str(flush), off, revision, _head(), sales)


async def _revision(connection: AsyncConnection) -> str:
    tables = await connection.run_sync(lambda plain: inspect(plain).get_table_names())
    if "alembic_version" not in tables:
        return ""
    return str(await connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def _head() -> str:
    return ScriptDirectory(str(Path(kernel.migrations.__file__ or "").parent)).get_current_head() or ""


async def _sales(connection: AsyncConnection, wanted: str | None) -> list[SaleFacts]:
    which = sale.c.state != "CLOSED" if wanted is None else sale.c.sale_id == wanted
    found = (await connection.execute(select(sale).where(which).order_by(sale.c.sale_id))).all()
    query = select(offer).where(offer.c.sale_id.in_([row.sale_id for row in found])).order_by(offer.c.offer_no)
    offers: dict[str, list[OfferOnSale]] = {row.sale_id: [] for row in found}
    for row in await connection.execute(query):
        terms = Offer(**{name: getattr(row, name) for name in _OFFER})
        offers[row.sale_id].append(OfferOnSale(terms, row.initial, row.reserved, row.sold))
    return [SaleFacts(row.sale_id, row.state, row.opens_ms, row.closes_ms, offers[row.sale_id]) for row in found]


async def read_stock(redis: Redis, sql: SqlServer) -> StockFacts:
    stock = RedisStock(redis)
    counters: dict[tuple[int, int], Counters | None] = {}
    for each in (each for found in sql.sales for each in found.offers):
        for bucket in range(each.offer.buckets):
            counters[each.offer.offer_no, bucket] = await stock.counters(each.offer.offer_no, bucket)
    return StockFacts(counters, await load_offers(redis))


def read_host(run_dir: Path) -> HostFacts:
    there = next(path for path in (run_dir.absolute(), *run_dir.absolute().parents) if path.exists())
    return HostFacts(shutil.disk_usage(there).free)
