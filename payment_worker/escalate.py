"""Where a record goes that could not be settled now: three retry topics, then the DLQ."""

from kernel.topics import ORDERS_CREATED, RETRY_DELAYS, dlq_topic, retry_topic
from meshkit.kafka.consumer import Record
from meshkit.kafka.moved import moved_headers
from meshkit.kafka.publisher import Publisher
from meshkit.log import get_logger
from payment_worker import metrics
from payment_worker.results import publish_surely

log = get_logger(__name__)

DELAYS = {retry_topic(ORDERS_CREATED, name): seconds for name, seconds in RETRY_DELAYS.items()}
LADDER = (ORDERS_CREATED, *DELAYS)
DLQ = dlq_topic(ORDERS_CREATED)


def due_ms(record: Record) -> int:
    """When the record may be tried: its topic's delay after it was written, at once on the main topic."""
    return record.timestamp_ms + DELAYS.get(record.topic, 0) * 1000


def is_last_try(topic: str) -> bool:
    return topic == LADDER[-1]


class Escalate:
    """Moves records up the ladder. Raises KafkaError where Kafka refuses: the worker ends before any commit."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def retry(self, record: Record, reason: str) -> None:
        await self._move(record, LADDER[LADDER.index(record.topic) + 1], reason)

    async def bury(self, record: Record, reason: str) -> None:
        await self._move(record, DLQ, reason)

    async def _move(self, record: Record, topic: str, reason: str) -> None:
        headers = moved_headers(record, reason)
        await publish_surely(self._publisher, topic, record.key, record.value, headers)
        metrics.ESCALATED.labels(topic).inc()
        log.warning("record moved", order_id=record.key, topic=topic, came_from=record.topic, reason=reason)
