"""Readiness: each probe does a little of the work its server is there for, and raises until that works."""

import asyncio
from typing import Any

import asyncmy
import grpc
import redis.asyncio
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.http import fetch
from tools.devstack.servers import mariadb
from tools.devstack.spec import Mesh

PROBE_TOPIC = "devstack.probe"
_TRY_SECONDS = 5.0


class NotReadyError(Exception):
    """The server answers, and not yet as it should."""


async def redis_runs_a_script(mesh: Mesh) -> None:
    client: Any = redis.asyncio.Redis.from_url(mesh.settings.redis)
    async with client:
        if await client.eval("return redis.call('PING').ok", 0) != b"PONG":
            raise NotReadyError("a script did not run")
        policy = await client.config_get("appendfsync")
        if policy.get("appendfsync", policy.get(b"appendfsync")) not in ("always", b"always"):
            raise NotReadyError("appendfsync is not `always`")


async def mariadb_reads_a_row(mesh: Mesh) -> None:
    async with (
        asyncmy.connect(
            host="127.0.0.1", port=mesh.ports["mariadb"], user="peakmesh", password=mariadb.password(mesh)
        ) as connection,
        connection.cursor() as cursor,
    ):
        await cursor.execute("SELECT id FROM peakmesh_devstack.probe")
        if await cursor.fetchone() != (1,):
            raise NotReadyError("the row is not there")


async def kafka_joins_a_group(mesh: Mesh) -> None:
    """An open port is not enough: just after start the group coordinator answers "not available" for a while."""
    await _create_probe_topic(mesh.settings.kafka)
    consumer: Any = AIOKafkaConsumer(
        PROBE_TOPIC, bootstrap_servers=mesh.settings.kafka, group_id=PROBE_TOPIC, retry_backoff_ms=50
    )
    try:
        await consumer.start()
        async with asyncio.timeout(_TRY_SECONDS):
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=20)
    finally:
        await consumer.stop()


async def _create_probe_topic(bootstrap: str) -> None:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap, retry_backoff_ms=50)
    try:
        await admin.start()
        if PROBE_TOPIC not in await admin.list_topics():
            await admin.create_topics([NewTopic(PROBE_TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def grpc_serves(mesh: Mesh, port: str) -> None:
    """gRPC health of the whole server says SERVING."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{mesh.ports[port]}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotReadyError(f"health is {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")


async def worker_is_ready(mesh: Mesh, port: str) -> None:
    """A worker has no server of its own: its `/metrics` says `peakmesh_ready 1` once it has joined its group."""
    page = await asyncio.to_thread(fetch, mesh.ports[port], "/metrics")
    if not any(line.startswith("peakmesh_ready") and line.endswith(" 1.0") for line in page.splitlines()):
        raise NotReadyError("peakmesh_ready is not 1")


async def envoy_is_live(mesh: Mesh) -> None:
    if "LIVE" not in await asyncio.to_thread(fetch, mesh.ports["admin"], "/ready"):
        raise NotReadyError("/ready does not say LIVE")
