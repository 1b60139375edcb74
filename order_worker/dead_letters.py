"""Records that no retry can do, kept with where they came from."""

from kernel.topics import dlq_topic
from meshkit.kafka.consumer import Record
from meshkit.kafka.publisher import Publisher
from meshkit.log import get_logger
from order_worker import metrics

log = get_logger(__name__)


class DeadLetterLost(Exception):
    """The dead letter was not acknowledged. Ends the worker before any commit: the record must not be dropped."""


class DeadLetters:
    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def put(self, record: Record, error: str, attempt: int = 1) -> None:
        """Returns once the broker has it. Raises DeadLetterLost."""
        topic = dlq_topic(record.topic)
        origin = {
            "origin-topic": record.topic,
            "origin-partition": str(record.partition),
            "origin-offset": str(record.offset),
            "error": error[:1000],
            "attempt": str(attempt),
        }
        headers = [*record.headers.items(), *((name, value.encode()) for name, value in origin.items())]
        try:
            await self._publisher.publish_all(topic, [(record.key, record.value, headers)])
        except Exception as failure:
            raise DeadLetterLost(f"{topic}: {failure!r}") from failure
        metrics.DEAD_LETTERS.labels(topic).inc()
        log.error(
            "record dead-lettered",
            order_id=record.key,
            error=error,
            **{k: v for k, v in origin.items() if k != "error"},
        )
