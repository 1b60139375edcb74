"""Records that no retry can do, kept with where they came from."""

from kernel.topics import dlq_topic
from meshkit.kafka.consumer import Record
from meshkit.kafka.moved import moved_headers
from meshkit.kafka.publisher import Publisher
from meshkit.log import get_logger
from order_worker import metrics

log = get_logger(__name__)


class DeadLetterLost(Exception):
    """The dead letter was not acknowledged. Ends the worker before any commit: the record must not be dropped."""


class DeadLetters:
    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def put(self, record: Record, error: str) -> None:
        """Returns once the broker has it. Raises DeadLetterLost."""
        topic = dlq_topic(record.topic)
        try:
            await self._publisher.publish_all(topic, [(record.key, record.value, moved_headers(record, error))])
        except Exception as failure:
            raise DeadLetterLost(f"{topic}: {failure!r}") from failure
        metrics.DEAD_LETTERS.labels(topic).inc()
        log.error(
            "record dead-lettered",
            order_id=record.key,
            partition=record.partition,
            offset=record.offset,
            topic=record.topic,
            error=error,
        )
