"""Every listening port of the mesh. All move together by one offset, so that two meshes run side by side."""

from dataclasses import dataclass

# Below 32768, where Linux takes ports for outgoing connections from: one of those would keep a process from starting.
_DEFAULTS = {
    "gateway": 8080,
    "operators": 8090,
    "egress": 10000,
    "admin": 9901,
    "engagement_inbound": 10071,
    "engagement_inbound_1": 10072,
    "promo_inbound": 10081,
    "promo_inbound_1": 10082,
    "provider_inbound": 10095,
    "order_inbound_0": 10061,
    "order_inbound_1": 10062,
    "checkout_0": 15051,
    "checkout_1": 15052,
    "checkout_0_metrics": 9151,
    "checkout_1_metrics": 9152,
    "order_consume_metrics": 9160,
    "order_consume_1_metrics": 9163,
    "order_serve_0": 15061,
    "order_serve_1": 15062,
    "order_serve_0_metrics": 9161,
    "order_serve_1_metrics": 9162,
    "payment_metrics": 9171,
    "payment_1_metrics": 9172,
    "engagement": 15071,
    "engagement_1": 15072,
    "engagement_metrics": 9175,
    "engagement_1_metrics": 9176,
    "promo": 15081,
    "promo_1": 15082,
    "promo_metrics": 9181,
    "promo_1_metrics": 9182,
    "governor": 15091,
    "governor_1": 15092,
    "governor_metrics": 9191,
    "governor_1_metrics": 9192,
    "providers": 15095,
    "providers_metrics": 9195,
    "redis": 16379,
    "mariadb": 13306,
    "kafka": 19092,
    "kafka_controller": 19093,
}


# Nothing runs more than two of a kind: each number has ports of its own.
INSTANCES = (0, 1)


def nth(name: str, instance: int) -> str:
    """`promo`, and the second one's `promo_1`: of a process that may run alone, and of its ports."""
    return name if instance == 0 else f"{name}_{instance}"


@dataclass(frozen=True)
class Ports:
    """Looks a port up by its name: `Ports(base)["gateway"]`."""

    base: int = 0

    def __getitem__(self, name: str) -> int:
        return _DEFAULTS[name] + self.base

    def all(self) -> dict[str, int]:
        return {name: port + self.base for name, port in _DEFAULTS.items()}
