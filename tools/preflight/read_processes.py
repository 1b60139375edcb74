"""Our own processes: each asked as the mesh's supervisor asks it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.settings import ProcessSettings
from tools.http import SECONDS, get

# Process and the port that answers gRPC health, or, for a worker, /metrics.
SERVERS = {
    "checkout_svc_0": "checkout_0",
    "checkout_svc_1": "checkout_1",
    "order_serve_0": "order_serve_0",
    "order_serve_1": "order_serve_1",
    "engagement_svc": "engagement",
    "promo_svc": "promo",
    "governor": "governor",
}
WORKERS = {"order_worker": "order_consume_metrics", "payment_worker": "payment_metrics"}


async def read_processes(settings: ProcessSettings) -> Mapping[str, str]:
    asked = {name: _health(settings.ports[port]) for name, port in SERVERS.items()}
    asked |= {name: _is_ready(settings.ports[port]) for name, port in WORKERS.items()}
    return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


async def _health(port: int) -> str:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as to:
        stub: Any = health_pb2_grpc.HealthStub(to)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return f"no answer on port {port} ({error.code().name})"
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if name == "SERVING" else f"its health is {name}"


async def _is_ready(port: int) -> str:
    try:
        page = await asyncio.to_thread(get, port, "/metrics")
    except OSError as error:
        return f"no answer on port {port} ({error})"
    ready = any(line.startswith("peakmesh_ready") and line.endswith(" 1.0") for line in page.splitlines())
    return "" if ready else "it has not joined its group"
