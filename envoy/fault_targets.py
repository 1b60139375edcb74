"""What faults can be injected into: each is a hop of its own, behind the breaker that is to see them."""

from collections.abc import Mapping
from dataclasses import dataclass

# `chaos.<target>.<knob>` on the admin port → what it is at rest. A new target is a row of TARGETS and a fault filter
# on its inbound hop (templates/inbound.yaml.j2); a test holds the two together.
KNOBS: Mapping[str, int] = {"abort_percent": 0, "grpc_status": 14, "delay_percent": 0, "delay_ms": 300}


@dataclass(frozen=True)
class FaultTarget:
    """`service`: full gRPC name; `methods`: the paths that suffer, for people."""

    service: str
    methods: str = "all methods"


TARGETS: Mapping[str, FaultTarget] = {
    "promo": FaultTarget("peakmesh.promotion.v1.PromotionService", "quotes and holds; not ListVouchers"),
    "wallet": FaultTarget("peakmesh.provider.v1.WalletService"),
    "shipping": FaultTarget("peakmesh.provider.v1.ShippingService"),
    "invoice": FaultTarget("peakmesh.provider.v1.InvoiceService"),
    "loyalty": FaultTarget("peakmesh.provider.v1.LoyaltyService"),
    "engagement": FaultTarget("peakmesh.engagement.v1", "recommendations and profiles"),
    "orders": FaultTarget("peakmesh.order.v1.OrderService", "reads: all but CancelOrder; no operator's call"),
}


def runtime_key(target: str, knob: str) -> str:
    return f"chaos.{target}.{knob}"
