"""A server given by URL that could lose orders: refused by its setting's name, and accepted where we were told to."""

import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from kernel.topics import DLQ_RETENTION_MS, ORDERS_INTAKE, RETENTION_MS, TOPICS, dlq_topic
from meshkit.db.durability import UnsafeDatabaseError, check_durability
from tests.integration.kernel.redis_server import RedisServer
from tests.polling import eventually
from tests.topic_settings import topic_config
from tools.devstack import Mesh
from tools.devstack.archive import free_base
from tools.devstack.given import check_given
from tools.devstack.probes import mariadb_reads_a_row
from tools.devstack.servers import mariadb
from tools.devstack.spec import DevstackError, GivenServers

DLQ = dlq_topic(ORDERS_INTAKE)


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder: a socket's address ends at 107 bytes, and MariaDB's user must be able to enter.
    with tempfile.TemporaryDirectory(prefix="given") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEAKMESH_UNSAFE", "true")


def given(folder: Path, **urls: str) -> Mesh:
    return Mesh(folder, 0, GivenServers(**urls))


async def refusal(mesh: Mesh, name: str) -> str:
    with pytest.raises(DevstackError) as raised:
        await check_given(mesh, name)
    return str(raised.value)


REDIS = [
    (("--appendonly", "no"), "appendonly is no, must be yes"),
    (("--appendfsync", "everysec"), "appendfsync is everysec, must be always"),
    (("--maxmemory-policy", "allkeys-lru"), "maxmemory-policy is allkeys-lru, must be noeviction"),
    (("--replicaof", "127.0.0.1 1"), "leads to a replica (slave), and only a master is asked"),
]


@pytest.fixture
async def redis_url(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    server = RedisServer(folder, *request.param)
    await server.start()
    yield server.url
    server.kill()


@pytest.mark.parametrize(("redis_url", "words"), REDIS, indirect=["redis_url"])
async def test_a_redis_that_may_forget_is_refused_by_name(folder: Path, redis_url: str, words: str) -> None:
    said = await refusal(given(folder, redis_url=redis_url), "redis")
    assert said.startswith("PEAKMESH_REDIS_URL (unix://")
    assert words in said


@pytest.mark.parametrize("redis_url", [("--appendonly", "no")], indirect=True)
async def test_a_redis_that_may_forget_is_accepted_if_we_are_told_to(
    folder: Path, redis_url: str, told_to: None
) -> None:
    await check_given(given(folder, redis_url=redis_url), "redis")


@pytest.mark.parametrize("redis_url", [()], indirect=True)
async def test_a_redis_that_forgets_nothing_is_accepted(folder: Path, redis_url: str) -> None:
    await check_given(given(folder, redis_url=redis_url), "redis")


@pytest.fixture
async def careless_db(folder: Path) -> AsyncIterator[str]:
    """The URL of a MariaDB that flushes its log once a second."""
    mesh = Mesh(folder, free_base(folder))
    mariadb.prepare(mesh)
    server = _start(mesh, "--innodb-flush-log-at-trx-commit=2")
    try:

        async def answers() -> bool:
            try:
                await mariadb_reads_a_row(mesh)
            except Exception:  # whatever its client raises while it starts
                return False
            return True

        await eventually(answers, within=30)
        yield mesh.settings.database
    finally:
        server.terminate()
        server.wait(15)


def _start(mesh: Mesh, *options: str) -> subprocess.Popen[bytes]:
    data = mesh.run_dir / "mariadb" / "data"
    with (mesh.run_dir / "log").open("wb") as log:
        return subprocess.Popen([*mariadb.argv(mesh), *options], stdout=log, stderr=log, cwd=data, user=mariadb.user())


async def test_a_database_that_may_forget_is_refused_by_name(folder: Path, careless_db: str) -> None:
    said = await refusal(given(folder, db_url=careless_db), "mariadb")
    assert said.startswith("PEAKMESH_DB_URL (mysql+asyncmy://127.0.0.1:")
    assert "innodb_flush_log_at_trx_commit is 2, must be 1" in said
    assert "peakmesh:" not in said


async def test_a_service_refuses_it_at_start_unless_told_otherwise(careless_db: str) -> None:
    engine = create_async_engine(careless_db)
    try:
        with pytest.raises(UnsafeDatabaseError, match="innodb_flush_log_at_trx_commit is 2, must be 1"):
            await check_durability(engine)
        await check_durability(engine, unsafe=True)
    finally:
        await engine.dispose()


async def test_a_database_that_may_forget_is_accepted_if_we_are_told_to(
    folder: Path, careless_db: str, told_to: None
) -> None:
    await check_given(given(folder, db_url=careless_db), "mariadb")


async def test_a_database_that_forgets_nothing_is_accepted(folder: Path, data_servers: Mesh) -> None:
    await check_given(given(folder, db_url=data_servers.settings.database), "mariadb")


@pytest.fixture
async def forgetful_kafka(data_servers: Mesh) -> AsyncIterator[str]:
    """One that keeps dead letters for as long as all other records."""
    bootstrap = data_servers.settings.kafka
    usual = {"retention.ms": str(DLQ_RETENTION_MS)}
    async with topic_config(bootstrap, DLQ, {"retention.ms": str(RETENTION_MS)}, usual):
        yield bootstrap


async def test_a_topic_that_forgets_too_soon_is_refused_by_name(folder: Path, forgetful_kafka: str) -> None:
    said = await refusal(given(folder, kafka_bootstrap=forgetful_kafka), "kafka")
    assert said == (
        f"PEAKMESH_KAFKA_BOOTSTRAP ({forgetful_kafka}): {DLQ}: retention.ms is {RETENTION_MS}, "
        f"declared {DLQ_RETENTION_MS} at least"
    )


async def test_a_topic_that_forgets_too_soon_is_accepted_if_we_are_told_to(
    folder: Path, forgetful_kafka: str, told_to: None
) -> None:
    await check_given(given(folder, kafka_bootstrap=forgetful_kafka), "kafka")


async def test_topics_as_declared_are_accepted(folder: Path, data_servers: Mesh) -> None:
    assert DLQ in {spec.name for spec in TOPICS}
    await check_given(given(folder, kafka_bootstrap=data_servers.settings.kafka), "kafka")
