"""Gathers the facts from every system, read-only, and checks them."""

from collections.abc import Awaitable
from typing import TypeVar

from aiokafka.errors import KafkaError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from envoy.hops import HOPS
from meshkit.clock import wall_ms
from meshkit.db.engine import database
from meshkit.errors import PeakmeshError
from meshkit.redis_client import redis_pool
from meshkit.settings import ProcessSettings
from tools.devstack import Mesh
from tools.preflight.check import preflight
from tools.preflight.checks import CHECKS
from tools.preflight.facts import Facts, StockFacts, Unread
from tools.preflight.read_certificates import read_certificates
from tools.preflight.read_doors import read_identity, read_providers
from tools.preflight.read_envoy import read_envoy
from tools.preflight.read_kafka import read_kafka
from tools.preflight.read_processes import ports_at_rest, read_processes
from tools.preflight.read_servers import read_host, read_redis, read_sql, read_stock
from tools.preflight.report import PreflightReport

T = TypeVar("T")
_FAILURES = (OSError, RedisError, SQLAlchemyError, KafkaError, PeakmeshError, ValueError, KeyError, TimeoutError)


async def run_preflight(settings: ProcessSettings, sale_id: str | None = None) -> PreflightReport:
    """Of one sale, or of every sale that is not closed."""
    return preflight(await gather(settings, sale_id), CHECKS)


async def gather(settings: ProcessSettings, sale_id: str | None) -> Facts:
    mesh = Mesh.of(settings.run_dir, settings.port_base)
    async with database(settings.database, pool_size=1) as engine, redis_pool(settings.redis) as redis:
        sql = await _attempt(read_sql(engine, sale_id))
        stock: StockFacts | Unread = Unread("the offers are in SQL, which could not be read")
        if not isinstance(sql, Unread):
            stock = await _attempt(read_stock(redis, sql))
        return Facts(
            redis=await _attempt(read_redis(redis)),
            sql=sql,
            kafka=await _attempt(read_kafka(settings.kafka)),
            stock=stock,
            envoy=await _attempt(read_envoy(settings, _without(mesh))),
            identity=await _attempt(read_identity(settings)),
            processes=await read_processes(mesh),
            providers=await read_providers(settings),
            host=read_host(settings.run_dir),
            certificates=read_certificates(settings.certificates),
            now_ms=wall_ms(),
            wanted=sale_id,
        )


def _without(mesh: Mesh) -> frozenset[int]:
    """Where Envoy looks for a second process, or for its hop, that this mesh does without."""
    rest = ports_at_rest(mesh)
    hops = [hop for hops in HOPS.values() for hop in hops if mesh.ports[hop.port] in rest]
    return rest | {mesh.ports[hop.name] for hop in hops}


async def _attempt(reading: Awaitable[T]) -> T | Unread:
    try:
        return await reading
    except _FAILURES as error:
        return Unread(f"{type(error).__name__}: {error}".splitlines()[0][:200])
