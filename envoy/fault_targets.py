"""What faults can be injected into: each is a hop of its own, behind the breaker that is to see them."""

from collections.abc import Mapping

from envoy.hops import PROVIDERS

# `chaos.<target>.<knob>` on the admin port → what it is at rest. A new target is a row of TARGETS and a fault filter
# on its inbound hop (templates/inbound.yaml.j2); a test holds the two together.
KNOBS: Mapping[str, int] = {"abort_percent": 0, "grpc_status": 14, "delay_percent": 0, "delay_ms": 300}

# Target → the methods that suffer, for people.
TARGETS: Mapping[str, str] = {
    "promo": "quotes and holds; not ListVouchers",
    **dict.fromkeys(PROVIDERS, "all methods"),
    "engagement": "recommendations and profiles",
    "orders": "reads: all but CancelOrder; no operator's call",
}


def runtime_key(target: str, knob: str) -> str:
    return f"chaos.{target}.{knob}"
