"""The processes of a mesh, as data."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from importlib import import_module
from typing import Any

from envoy.hops import LISTENERS
from meshkit.ports import INSTANCES, nth
from tools.devstack.priority import BEHIND_A_DEADLINE, BEHIND_THE_BUFFER
from tools.devstack.servers import kafka, mariadb, redis
from tools.devstack.spec import ROOT, Mesh, ProcessSpec

DATA_SERVERS = ("redis", "mariadb", "kafka")
_NEEDS_ALL_DATA = ("redis", "migrate", "topics", "identity")


def python(*arguments: str) -> Callable[[Mesh], list[str]]:
    """`python -m …` with the interpreter that runs the dev stack."""
    return lambda _: [sys.executable, "-m", *arguments]


def lazily(module: str, function: str, *arguments: str) -> Callable[[Mesh], Awaitable[None]]:
    """A coroutine function of the dev stack, imported at its first call, in a thread.

    The clients of four servers take 1.3 s to import: `status` needs none, and the servers start while they load.
    """

    async def call(mesh: Mesh) -> None:
        found: Any = await asyncio.to_thread(import_module, f"tools.devstack.{module}")
        await getattr(found, function)(mesh, *arguments)

    return call


def which(instance: int) -> dict[str, str]:
    return {"PEAKMESH_INSTANCE": str(instance)}


def ours(
    name: str,
    *module: str,
    port: str,
    depends_on: tuple[str, ...],
    instance: int = 0,
    nice: int = 0,
) -> ProcessSpec:
    """A gRPC process of ours: serves `port`, and `<port>_metrics`."""
    return ProcessSpec(
        name=name,
        argv=python(*module),
        ports=(port, f"{port}_metrics"),
        depends_on=depends_on,
        probe=lazily("probes", "grpc_serves", port),
        env=which(instance),
        nice=nice,
    )


def worker(
    name: str, *module: str, metrics: str, instance: int, env: dict[str, str] | None = None, nice: int = 0
) -> ProcessSpec:
    """A process of ours that serves nothing but its metrics."""
    return ProcessSpec(
        name=name,
        argv=python(*module),
        ports=(metrics,),
        depends_on=_NEEDS_ALL_DATA,
        probe=lazily("probes", "worker_is_ready", metrics),
        env=which(instance) | (env or {}),
        nice=nice,
    )


def checkout(index: int) -> ProcessSpec:
    return ours(
        f"checkout_svc_{index}",
        "checkout_svc",
        port=f"checkout_{index}",
        depends_on=("redis", "topics", "identity"),
        instance=index,
    )


def order_serve(index: int) -> ProcessSpec:
    return ours(
        f"order_serve_{index}",
        "order_worker",
        "serve",
        port=f"order_serve_{index}",
        depends_on=_NEEDS_ALL_DATA,
        instance=index,
    )


def engagement(index: int) -> ProcessSpec:
    return ours(
        nth("engagement_svc", index),
        "engagement_svc",
        port=nth("engagement", index),
        depends_on=("migrate", "identity"),
        instance=index,
        nice=BEHIND_THE_BUFFER,
    )


def promo(index: int) -> ProcessSpec:
    return ours(
        nth("promo_svc", index), "promo_svc", port=nth("promo", index), depends_on=_NEEDS_ALL_DATA, instance=index
    )


def governor(index: int) -> ProcessSpec:
    return ours(
        nth("governor", index), "governor", port=nth("governor", index), depends_on=_NEEDS_ALL_DATA, instance=index
    )


def order_consume(index: int) -> ProcessSpec:
    metrics = f"{nth('order_consume', index)}_metrics"
    return worker(nth("order_worker", index), "order_worker", "consume", metrics=metrics, instance=index)


def payment(index: int) -> ProcessSpec:
    return worker(
        nth("payment_worker", index),
        "payment_worker",
        metrics=f"{nth('payment', index)}_metrics",
        instance=index,
        env=SANDBOX_BULKHEAD,
        nice=BEHIND_THE_BUFFER,
    )


# The sandbox is one Python process on the same cores: of 4 × 32 calls at once some waited past Envoy's 900 ms, the
# breakers opened, and 902 of 5,055 orders went through the retry topics. It serves as many orders with 4 × 8.
SANDBOX_BULKHEAD = {"PEAKMESH_PAYMENT_WORKER_BULKHEAD": "8"}

ENVOY_PORTS = ("gateway", "operators", "egress", "admin", *LISTENERS)

GOVERNORS = tuple(nth("governor", index) for index in INSTANCES)

TABLE: tuple[ProcessSpec, ...] = (
    ProcessSpec("redis", redis.argv, ("redis",), prepare=redis.prepare, probe=lazily("probes", "redis_runs_a_script")),
    ProcessSpec(
        "mariadb",
        mariadb.argv,
        ("mariadb",),
        prepare=mariadb.prepare,
        probe=lazily("probes", "mariadb_reads_a_row"),
        user=mariadb.user,
    ),
    ProcessSpec(
        "kafka",
        kafka.argv,
        ("kafka", "kafka_controller"),
        prepare=kafka.prepare,
        probe=lazily("probes", "kafka_joins_a_group"),
        stop_grace=30.0,  # a broker that was killed checks all its logs at its next start
    ),
    ProcessSpec("identity", call=lazily("steps", "make_keys")),
    ProcessSpec("migrate", python("kernel.migrate"), depends_on=("mariadb",), once=True),
    ProcessSpec("topics", call=lazily("steps", "ensure_topics"), depends_on=("kafka",)),
    ProcessSpec("envoy", python("envoy"), ENVOY_PORTS, ("identity",), probe=lazily("probes", "envoy_is_live")),
    ours("providers", "tools.providers", port="providers", depends_on=("identity",), nice=BEHIND_A_DEADLINE),
    engagement(0),
    promo(0),
    governor(0),
    *(checkout(index) for index in INSTANCES),
    order_consume(0),
    *(order_serve(index) for index in INSTANCES),
    payment(0),
    # 100 to 120 MB each: with the standby governor alone a mesh that has played a sale is over 1.6 GB. They start where
    # they are asked for; a release that no call notices needs them, and so does a takeover.
    *(replace(of(1), paired=True) for of in (engagement, promo, governor, order_consume, payment)),
)


def table_of(mesh: Mesh) -> dict[str, ProcessSpec]:
    """The rows by name, as this mesh needs them: a server given by URL is no process of ours, its row asks it."""
    urls = {"redis": mesh.given.redis_url, "mariadb": mesh.given.db_url, "kafka": mesh.given.kafka_bootstrap}
    given = {name: ProcessSpec(name, call=lazily("given", "check_given", name)) for name, url in urls.items() if url}
    return {row.name: given.get(row.name, row) for row in TABLE}


def usual(mesh: Mesh) -> list[str]:
    """What runs where nothing else was asked for."""
    return [row.name for row in TABLE if mesh.pairs or not row.paired]


def environment(mesh: Mesh, spec: ProcessSpec) -> dict[str, str]:
    """The environment of a process: ours, the mesh's place, and the row's own."""
    path = [str(ROOT), str(ROOT / "generated" / "python"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PEAKMESH_PORT_BASE": str(mesh.port_base),
        "PEAKMESH_RUN_DIR": str(mesh.run_dir),
        **{f"PEAKMESH_{name.upper()}": url for name, url in asdict(mesh.given).items()},
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "PYTHONUNBUFFERED": "1",
        # glibc keeps an arena for each thread: 2 instead of 16 save about 10 MB a process.
        "MALLOC_ARENA_MAX": "2",
        **spec.env,
    }
