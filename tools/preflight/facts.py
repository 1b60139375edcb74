"""What a preflight knows: plain data read from each system, so that the checks are pure and can be tested themselves.

`clock_off_ms`: that server's clock minus ours. A mapping of names to words: empty words mean that all is well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernel.offers import Offer
from kernel.stock.results import Counters


@dataclass(frozen=True)
class Unread:
    """A source that could not be read, and why."""

    why: str


@dataclass(frozen=True)
class RedisServer:
    """`limit_bytes`: maxmemory, or what the machine has where there is none."""

    settings: Mapping[str, str]
    role: str
    used_bytes: int
    limit_bytes: int
    aof_ok: bool
    clock_off_ms: float


@dataclass(frozen=True)
class OfferOnSale:
    """Counters as SQL has them."""

    offer: Offer
    initial: int
    reserved: int
    sold: int


@dataclass(frozen=True)
class SaleFacts:
    """A sale that is not closed, or the one asked for."""

    sale_id: str
    state: str
    opens_ms: int
    closes_ms: int
    offers: Sequence[OfferOnSale]


@dataclass(frozen=True)
class SqlServer:
    """`revision`: of the schema there; `head`: of this build."""

    flush: str
    clock_off_ms: float
    revision: str
    head: str
    sales: Sequence[SaleFacts]


@dataclass(frozen=True)
class StockFacts:
    """`counters`: of each (offer_no, bucket), None where Redis has none; `registry` as checkout reads it."""

    counters: Mapping[tuple[int, int], Counters | None]
    registry: Mapping[tuple[str, str], Offer]


@dataclass(frozen=True)
class TopicFacts:
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class KafkaServer:
    """`lag` by group, `dead` letters by topic."""

    brokers: int
    topics: Mapping[str, TopicFacts]
    lag: Mapping[str, int]
    dead: Mapping[str, int]


@dataclass(frozen=True)
class Certificate:
    """`ends_in`, `begins_in`: days, below zero where that is past. `why`: it could not be read."""

    ends_in: float = 0.0
    begins_in: float = -1.0
    why: str = ""


@dataclass(frozen=True)
class EnvoyFacts:
    """`clusters`: (healthy, all) hosts. `faults`: armed runtime keys. `certificates`: those that Envoy serves with."""

    clusters: Mapping[str, tuple[int, int]]
    faults: Mapping[str, str]
    certificates: Mapping[str, Certificate]


@dataclass(frozen=True)
class IdentityFacts:
    """`fits`: a token signed with our key passes our JWKS. `doors`: what each listener said to such a token."""

    fits: bool
    mode: int
    age_days: float
    doors: Mapping[str, str]


@dataclass(frozen=True)
class HostFacts:
    disk_free_bytes: int


@dataclass(frozen=True)
class Facts:
    """`wanted`: the sale asked for; None: every sale that is not closed. `certificates`: the files we were told of."""

    redis: RedisServer | Unread
    sql: SqlServer | Unread
    kafka: KafkaServer | Unread
    stock: StockFacts | Unread
    envoy: EnvoyFacts | Unread
    identity: IdentityFacts | Unread
    processes: Mapping[str, str]
    providers: Mapping[str, str]
    host: HostFacts
    certificates: Mapping[str, Certificate]
    now_ms: int
    wanted: str | None = None
