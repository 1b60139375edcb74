"""A real Envoy with our configuration, and tiny real gRPC servers to stand behind it."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from envoy.hops import LISTENERS
from meshkit.identity import Role, TokenIssuer, create_keys
from meshkit.ports import Ports
from tests.polling import eventually

BOUND = ("gateway", "operators", "egress", "admin", *LISTENERS)
BEHIND = (
    "checkout_0",
    "checkout_1",
    "order_serve_0",
    "engagement",
    "promo",
    "promo_1",
    "governor",
    "governor_1",
    "providers",
)
PLACE_ORDER = "/peakmesh.checkout.v1.CheckoutService/PlaceOrder"
GET_ORDER = "/peakmesh.order.v1.OrderService/GetOrder"
QUOTE_PROMOTION = "/peakmesh.promotion.v1.PromotionService/QuotePromotion"
GET_SALE = "/peakmesh.ops.v1.OpsService/GetSale"


@dataclass(frozen=True)
class Mesh:
    """One running Envoy: its ports, its folder, and what its admin port can be asked."""

    ports: Ports
    run_dir: Path

    def token(self, role: Role = Role.BUYER) -> str:
        return TokenIssuer(self.run_dir / "identity").issue("buyer-1", role)

    def bearer(self, role: Role = Role.BUYER) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token(role)}"),)

    def channel(self, port: str) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.ports[port]}")

    def admin(self, path: str, method: str = "GET") -> str:
        url = f"http://127.0.0.1:{self.ports['admin']}{path}"
        with urlopen(Request(url, method=method, data=b"" if method == "POST" else None), timeout=2) as answer:
            return str(answer.read().decode())

    def runtime(self, **values: int) -> None:
        """Sets runtime keys; `chaos__promo__delay_ms` stands for `chaos.promo.delay_ms`."""
        keys = {key.replace("__", "."): value for key, value in values.items()}
        self.admin("/runtime_modify?" + urlencode(keys), "POST")

    def counter(self, name: str) -> int:
        lines = self.admin(f"/stats?filter=^{name}$").splitlines()
        return int(lines[0].rsplit(":", 1)[1]) if lines else 0

    async def healthy(self, cluster: str, hosts: int) -> None:
        """Waits until that many hosts of a cluster pass their health check."""
        await eventually(lambda: self.counter(f"cluster.{cluster}.membership_healthy") == hosts)


def raw(channel: grpc.aio.Channel, method: str) -> Any:
    """The method as bytes to bytes: the gateway does not read messages, so its tests need no protos."""
    return channel.unary_unary(method)


Behaviour = Callable[[bytes], Awaitable[bytes]]


async def echo(body: bytes) -> bytes:
    return body


@dataclass
class Upstream(grpc.GenericRpcHandler):
    """A server that answers every method by `behaviour` (raw bytes) and remembers how it was called, and with how much
    time."""

    behaviour: Behaviour = echo
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seconds_left: list[float | None] = field(default_factory=list)

    def service(self, details: Any) -> Any:
        if details.method.startswith("/grpc.health."):
            return None

        async def handle(body: bytes, context: Any) -> bytes:
            self.calls.append((details.method, dict(context.invocation_metadata())))
            self.seconds_left.append(context.time_remaining())
            try:
                return await self.behaviour(body)
            except RefusalError as refusal:
                await context.abort(refusal.code, "refused")
                raise AssertionError("abort returned") from refusal

        return grpc.unary_unary_rpc_method_handler(handle)


@dataclass
class RefusalError(Exception):
    code: grpc.StatusCode


@asynccontextmanager
async def upstream(port: int, behaviour: Behaviour = echo) -> AsyncIterator[Upstream]:
    """Serves from entry to exit of the block, health included."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0), ("grpc.keepalive_permit_without_calls", 1)))
    handler, health = Upstream(behaviour), health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        yield handler
    finally:
        await server.stop(None)


async def never(_: bytes) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError("an event nobody sets was set")


def _free_ports() -> Ports:
    for base in range(2_000, 10_000, 150):
        with ExitStack() as held:
            try:
                for name in BOUND + BEHIND:
                    held.enter_context(socket.socket()).bind(("127.0.0.1", Ports(base)[name]))
            except OSError:
                continue
            return Ports(base)
    raise OSError("no block of free ports for Envoy")


@contextmanager
def running_envoy(run_dir: Path, **settings: str) -> Iterator[Mesh]:
    """`python -m envoy` in a folder and on ports of its own, from ready to stopped. `settings`: of its environment."""
    ports = _free_ports()
    create_keys(run_dir / "identity")
    environment = os.environ | {"PEAKMESH_PORT_BASE": str(ports.base), "PEAKMESH_RUN_DIR": str(run_dir)} | settings
    with (run_dir / "envoy.out").open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "envoy"], env=environment, stdout=out, stderr=out)
    mesh = Mesh(ports, run_dir)
    try:
        asyncio.run(eventually(lambda: process.poll() is not None or _live(mesh), within=20))
        assert process.poll() is None, (run_dir / "envoy.out").read_text()
        yield mesh
    finally:
        process.terminate()
        process.wait(10)


def _live(mesh: Mesh) -> bool:
    try:
        return mesh.admin("/ready").startswith("LIVE")
    except (URLError, OSError):
        return False


@asynccontextmanager
async def timed() -> AsyncIterator[list[float]]:
    """Gives a list that holds the block's seconds once it is left."""
    seconds: list[float] = []
    started = time.perf_counter()
    try:
        yield seconds
    finally:
        seconds.append(time.perf_counter() - started)
