"""Servers that somebody else runs, given by URL: each is asked what it is before any process of ours starts."""

from urllib.parse import urlsplit

from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text

from kernel.stock.durability import check_durability as check_redis
from kernel.topics import TOPICS
from meshkit.db.durability import check_durability as check_database
from meshkit.db.engine import database
from meshkit.kafka.topics import check_topics
from meshkit.redis_client import redis_pool
from tools.devstack.spec import DevstackError, Mesh

SETTINGS = {"redis": "PEAKMESH_REDIS_URL", "mariadb": "PEAKMESH_DB_URL", "kafka": "PEAKMESH_KAFKA_BOOTSTRAP"}


async def check_given(mesh: Mesh, name: str) -> None:
    """Raises DevstackError, which names the setting, the server and what is wrong with it."""
    checks = {"redis": _redis, "mariadb": _database, "kafka": _kafka}
    urls = {"redis": mesh.given.redis_url, "mariadb": mesh.given.db_url, "kafka": mesh.given.kafka_bootstrap}
    try:
        await checks[name](mesh)
    except Exception as error:  # whatever its client raises against a server that is not there
        raise DevstackError(f"{SETTINGS[name]} ({_shown(urls[name])}): {error or type(error).__name__}") from error


async def _redis(mesh: Mesh) -> None:
    async with redis_pool(mesh.settings.redis) as client:
        await client.ping()
        await check_redis(client, mesh.settings.unsafe)


async def _database(mesh: Mesh) -> None:
    async with database(mesh.settings.database, pool_size=1) as engine:
        async with engine.connect() as connection:
            # The schema is made by `migrate`, the database itself is not ours to make.
            if await connection.scalar(text("SELECT DATABASE()")) is None:
                raise ValueError("names no database: …@host:port/NAME")
        await check_database(engine, mesh.settings.unsafe)


async def _kafka(mesh: Mesh) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=mesh.settings.kafka, request_timeout_ms=5000)
    try:
        await admin.start()
        await admin.list_topics()
    finally:
        await admin.close()
    await check_topics(mesh.settings.kafka, TOPICS, mesh.settings.unsafe)


def _shown(url: str) -> str:
    """Without user and password."""
    parts = urlsplit(url)
    return url if "@" not in url else f"{parts.scheme}://{parts.netloc.rsplit('@', 1)[1]}{parts.path}"
