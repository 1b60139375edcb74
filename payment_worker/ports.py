"""What settling an order needs from the world; the tests pass fakes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from meshkit.kafka.consumer import Partition, Record
from payment_worker.order import Order
from payment_worker.step_rows import Applied, Change, Rows


class Steps(Protocol):
    async def change(self, change: Change) -> Applied:
        """Returns once committed. Waits without limit for a database that is away."""


@dataclass(frozen=True, slots=True)
class Debited:
    """What the wallet has on record under a debit's key: DONE, DECLINED or VOIDED."""

    state: str
    provider_ref: str = ""
    reason: str = ""


class Providers(Protocol):
    """Every call raises the typed error of the provider, DependencyUnavailable or DeadlinePassed (both: unknown)."""

    async def quote(self, order: Order) -> int:
        """Shipping in minor units of the order's currency."""

    async def debit(self, order: Order, amount_minor: int) -> Debited: ...

    async def find_debit(self, order: Order) -> Debited | None:
        """None where the wallet knows no such key, which is no outcome: the debit may still arrive."""

    async def void(self, order: Order) -> None: ...

    async def take_back(self, order_id: str, step: str) -> str:
        """A step of TAKING_BACK; what the provider calls it. Raises IllegalState where the parcel was collected."""

    async def complete(self, order: Order, step: str, amount_minor: int) -> str:
        """Booking, invoice or coins; what the provider calls it."""


class Results(Protocol):
    """Each returns once Kafka has acknowledged."""

    async def paid(self, order: Order, rows: Rows) -> None: ...

    async def settled(self, order: Order, rows: Rows) -> None: ...

    async def failed(self, order: Order, rows: Rows, reason: str) -> None: ...

    async def refunded(self, order_id: str, amount_minor: int, currency: str, reason: str) -> None: ...


class Subscription(Protocol):
    """A member of the consumer group, as meshkit.kafka.consumer.Consumer is."""

    async def poll(self, timeout: float) -> list[Record]: ...

    async def commit(self, next_offsets: Mapping[Partition, int]) -> bool: ...

    def assignment(self) -> set[Partition]: ...

    def pause(self, topic: str, partition: int) -> None: ...

    def resume(self, topic: str, partition: int) -> None: ...


class Ladder(Protocol):
    """Where records go that could not be settled. Raises KafkaError where Kafka refuses one."""

    async def retry(self, record: Record, reason: str) -> None: ...

    async def bury(self, record: Record, reason: str) -> None: ...
