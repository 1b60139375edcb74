"""A small mesh on the evening of a sale, as the preflight sees it: all is well."""

from dataclasses import replace
from typing import Any

from kernel.offers import Offer
from kernel.stock.results import Counters, OfferState
from kernel.topics import TOPICS
from tools.preflight.facts import (
    Certificate,
    EnvoyFacts,
    Facts,
    HostFacts,
    IdentityFacts,
    KafkaServer,
    OfferOnSale,
    RedisServer,
    SaleFacts,
    SqlServer,
    StockFacts,
    TopicFacts,
)

NOW = 1_800_000_000_000
GIB = 1 << 30
OFFER = Offer(7, "sale-1", "phone", 1999, "EUR", 1, 400, 1, 1, 2)


def redis(**changes: Any) -> RedisServer:
    settings = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    base = RedisServer(settings, "master", GIB, 4 * GIB, aof_ok=True, clock_off_ms=0.2)
    return replace(base, **changes)


def sale(units: int = 1000, **changes: Any) -> SaleFacts:
    base = SaleFacts("sale-1", "OPEN", NOW + 60_000, NOW + 120_000, [OfferOnSale(OFFER, units, 0, 0)])
    return replace(base, **changes)


def sql(**changes: Any) -> SqlServer:
    return replace(SqlServer("1", -0.3, "0001", "0001", [sale()]), **changes)


def counters(**changes: Any) -> Counters:
    base = Counters(
        initial=1000,
        available=1000,
        reserved=0,
        sold=0,
        trimmed=0,
        price_minor=1999,
        price_version=1,
        unit_limit=2,
        epoch=1,
        state=OfferState.OPEN,
        opens_ms=NOW + 60_000,
        closes_ms=NOW + 120_000,
    )
    return replace(base, **changes)


def stock(has: Counters | None = None, **changes: Any) -> StockFacts:
    return replace(StockFacts({(7, 0): has or counters()}, {("sale-1", "phone"): OFFER}), **changes)


def kafka(**changes: Any) -> KafkaServer:
    topics = {spec.name: TopicFacts(spec.partitions, {"retention.ms": str(spec.retention_ms)}) for spec in TOPICS}
    return replace(KafkaServer(1, topics, {"order_worker": 0}, {"orders.intake.dlq": 0}), **changes)


def envoy(**changes: Any) -> EnvoyFacts:
    return replace(EnvoyFacts({"checkout": (2, 2)}, {}, {"gateway.pem": Certificate(90)}), **changes)


def identity(**changes: Any) -> IdentityFacts:
    return replace(IdentityFacts(True, 0o600, 12.0, {"operators": "", "gateway": ""}), **changes)


def facts(**changes: Any) -> Facts:
    base = Facts(
        redis=redis(),
        sql=sql(),
        kafka=kafka(),
        stock=stock(),
        envoy=envoy(),
        identity=identity(),
        processes={"checkout_svc_0": "", "governor": ""},
        providers={"wallet": ""},
        host=HostFacts(20 * GIB),
        certificates={"balancer.pem": Certificate(90)},
        now_ms=NOW,
    )
    return replace(base, **changes)
