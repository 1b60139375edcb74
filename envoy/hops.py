"""The hops in front of what faults are injected into: one for each process, since health checks, breakers and retries
go by process."""

from collections.abc import Mapping
from dataclasses import dataclass

from meshkit.ports import INSTANCES, nth


@dataclass(frozen=True)
class Hop:
    """`name`: of its listener, and of that one's port; `app`: the cluster behind it; `port`: the process' own."""

    name: str
    app: str
    port: str


def _pair(name: str) -> tuple[Hop, ...]:
    return tuple(Hop(nth(f"{name}_inbound", n), nth(f"{name}_app", n), nth(name, n)) for n in INSTANCES)


HOPS: Mapping[str, tuple[Hop, ...]] = {
    "engagement": _pair("engagement"),
    "promo": _pair("promo"),
    "provider": (Hop("provider_inbound", "providers_app", "providers"),),
    "order": tuple(Hop(f"order_inbound_{n}", f"order_app_{n}", f"order_serve_{n}") for n in INSTANCES),
}
# Behind the one hop `provider`. Cluster, route and chaos.<name>.* keys → the service it carries.
PROVIDERS: Mapping[str, str] = {
    "wallet": "WalletService",
    "shipping": "ShippingService",
    "invoice": "InvoiceService",
    "loyalty": "LoyaltyService",
}
LISTENERS = tuple(hop.name for hops in HOPS.values() for hop in hops)
