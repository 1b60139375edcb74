"""Identities and providers: asked through Envoy, as their callers ask."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meshkit.errors import DeadlinePassed, DependencyUnavailable, PeakmeshError
from meshkit.http import SECONDS
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
from tools.preflight.facts import IdentityFacts

# A read under a key that nobody uses: "not found" is an answer.
PROVIDERS: dict[str, tuple[Any, str, Any]] = {
    "wallet": (wallet_service_pb2_grpc.WalletServiceStub, "GetDebit", wallet_service_pb2.GetDebitRequest),
    "shipping": (shipping_service_pb2_grpc.ShippingServiceStub, "GetBooking", shipping_service_pb2.GetBookingRequest),
    "invoice": (invoice_service_pb2_grpc.InvoiceServiceStub, "GetInvoice", invoice_service_pb2.GetInvoiceRequest),
    "loyalty": (loyalty_service_pb2_grpc.LoyaltyServiceStub, "GetGrant", loyalty_service_pb2.GetGrantRequest),
}


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
