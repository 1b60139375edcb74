"""Our own processes, Envoy's admin port, identities and providers: each asked as its callers ask it."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.errors import DeadlinePassed, DependencyUnavailable, PeakmeshError
from meshkit.identity import Role, TokenIssuer, TokenVerifier
from meshkit.rpc.client import call, channel
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import ops_service_pb2, ops_service_pb2_grpc
from peakmesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from peakmesh.provider.v1 import (
    invoice_service_pb2,
    invoice_service_pb2_grpc,
    loyalty_service_pb2,
    loyalty_service_pb2_grpc,
    shipping_service_pb2,
    shipping_service_pb2_grpc,
    wallet_service_pb2,
    wallet_service_pb2_grpc,
)
from tools.preflight.facts import EnvoyFacts, IdentityFacts

SECONDS = 3.0
# Process and the port that answers gRPC health, or, for a worker, /metrics.
SERVERS = {
    "checkout_svc_0": "checkout_0",
    "checkout_svc_1": "checkout_1",
    "order_serve": "order_serve",
    "promo_svc": "promo",
    "governor": "governor",
}
WORKERS = {"order_worker": "order_consume_metrics", "payment_worker": "payment_metrics"}
# A read under a key that nobody uses: "not found" is an answer.
PROVIDERS: dict[str, tuple[Any, str, Any]] = {
    "wallet": (wallet_service_pb2_grpc.WalletServiceStub, "GetDebit", wallet_service_pb2.GetDebitRequest),
    "shipping": (shipping_service_pb2_grpc.ShippingServiceStub, "GetBooking", shipping_service_pb2.GetBookingRequest),
    "invoice": (invoice_service_pb2_grpc.InvoiceServiceStub, "GetInvoice", invoice_service_pb2.GetInvoiceRequest),
    "loyalty": (loyalty_service_pb2_grpc.LoyaltyServiceStub, "GetGrant", loyalty_service_pb2.GetGrantRequest),
}


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
        page = await asyncio.to_thread(_get, port, "/metrics")
    except OSError as error:
        return f"no answer on port {port} ({error})"
    ready = any(line.startswith("peakmesh_ready") and line.endswith(" 1.0") for line in page.splitlines())
    return "" if ready else "it has not joined its group"


def _get(port: int, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as answer:
        found: str = answer.read().decode()
        return found


async def read_envoy(settings: ProcessSettings) -> EnvoyFacts:
    """Raises OSError, ValueError."""
    pages = ("/clusters?format=json", "/runtime?format=json", "/certs")
    clusters, runtime, certificates = [
        json.loads(await asyncio.to_thread(_get, settings.ports["admin"], page)) for page in pages
    ]
    return EnvoyFacts(
        clusters={each["name"]: _hosts(each.get("host_statuses", [])) for each in clusters["cluster_statuses"]},
        faults=_faults(runtime.get("entries", {})),
        certificates=_days(certificates.get("certificates", [])),
    )


def _hosts(statuses: list[dict[str, Any]]) -> tuple[int, int]:
    failed = [any(name.startswith("failed_") for name in each.get("health_status", {})) for each in statuses]
    return failed.count(False), len(failed)


def _faults(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    found = {key: str(entry.get("final_value", "0")) for key, entry in entries.items() if key.endswith("_percent")}
    return {key: value for key, value in found.items() if key.startswith("chaos.") and value not in ("", "0")}


def _days(certificates: list[dict[str, Any]]) -> dict[str, int]:
    parts = [part for each in certificates for kind in ("ca_cert", "cert_chain") for part in each.get(kind, [])]
    return {part.get("path", "?"): int(part["days_until_expiration"]) for part in parts}


async def read_identity(settings: ProcessSettings) -> IdentityFacts:
    """Raises OSError, ValueError."""
    private = settings.identity_dir / "private.pem"
    issuer = TokenIssuer(settings.identity_dir)
    operator, buyer = (issuer.issue("preflight", role, 60) for role in (Role.OPERATOR, Role.BUYER))
    sales, orders = ops_service_pb2.ListSalesRequest(page_size=1), order_service_pb2.ListOrdersRequest(page_size=1)
    ops_stub, order_stub = ops_service_pb2_grpc.OpsServiceStub, order_service_pb2_grpc.OrderServiceStub
    doors = {
        "operators": await _ask(settings, "operators", ops_stub, "ListSales", sales, operator),
        "gateway": await _ask(settings, "gateway", order_stub, "ListOrders", orders, buyer),
    }
    status = private.stat()
    age_days = (time.time() - status.st_mtime) / 86_400
    return IdentityFacts(_fits(settings.jwks, operator), status.st_mode & 0o777, age_days, doors)


def _fits(jwks: Path, token: str) -> bool:
    try:
        TokenVerifier(jwks).verify(f"Bearer {token}")
    except PeakmeshError:
        return False
    return True


async def _ask(settings: ProcessSettings, door: str, stub: Any, method: str, request: Any, token: str = "") -> str:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with channel(f"127.0.0.1:{settings.ports[door]}") as to:
        try:
            await call(getattr(stub(to), method), request, timeout=SECONDS, dependency=door, metadata=metadata)
        except PeakmeshError as error:
            return error.message
    return ""


async def read_providers(settings: ProcessSettings) -> Mapping[str, str]:
    """Through Envoy's egress, as payment_worker calls them."""
    return {name: await _provider(settings, *PROVIDERS[name]) for name in PROVIDERS}


async def _provider(settings: ProcessSettings, stub: Any, method: str, request: Any) -> str:
    async with channel(f"127.0.0.1:{settings.ports['egress']}") as to:
        asked = request(idempotency_key="preflight:nobody")
        try:
            await call(getattr(stub(to), method), asked, timeout=SECONDS, dependency="provider")
        except (DependencyUnavailable, DeadlinePassed) as error:
            return error.message
        except PeakmeshError:
            return ""
    return ""
