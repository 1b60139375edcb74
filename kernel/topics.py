"""The Kafka topics, as data. Key `order_id` everywhere: the SKU would be one hot partition, users skew under bots."""

from meshkit.kafka.topics import TopicSpec

ORDERS_INTAKE = "orders.intake"
ORDERS_CREATED = "orders.created"
PAYMENTS_RESULTS = "payments.results"

ORDER_WORKER = "order_worker"
ORDER_WORKER_RESULTS = "order_worker.results"
PAYMENT_WORKER = "payment_worker"
PROMO_SVC = "promo_svc"

# Every consumer group and the topic it reads: whoever asks "is anybody behind?" asks about all of them.
GROUPS: dict[str, str] = {
    ORDER_WORKER: ORDERS_INTAKE,
    PAYMENT_WORKER: ORDERS_CREATED,
    ORDER_WORKER_RESULTS: PAYMENTS_RESULTS,
    PROMO_SVC: PAYMENTS_RESULTS,
}

PARTITIONS = 4

# Seconds a record waits in each retry topic, shortest first.
RETRY_DELAYS: dict[str, int] = {"5s": 5, "1m": 60, "10m": 600}

_DAY_MS = 24 * 3600 * 1000
RETENTION_MS = 7 * _DAY_MS  # longer than the longest outage of a consumer
DLQ_RETENTION_MS = 30 * _DAY_MS  # a DLQ waits for people


def retry_topic(topic: str, delay: str) -> str:
    """Name of a retry topic; `delay` is a key of RETRY_DELAYS, else KeyError."""
    if delay not in RETRY_DELAYS:
        raise KeyError(delay)
    return f"{topic}.retry.{delay}"


def retry_topics(topic: str) -> list[str]:
    """Every retry topic of `topic`, shortest delay first."""
    return [retry_topic(topic, delay) for delay in RETRY_DELAYS]


def dlq_topic(topic: str) -> str:
    return f"{topic}.dlq"


def _family(topic: str) -> list[TopicSpec]:
    retries = [TopicSpec(name, PARTITIONS, RETENTION_MS) for name in retry_topics(topic)]
    return [
        TopicSpec(topic, PARTITIONS, RETENTION_MS),
        *retries,
        TopicSpec(dlq_topic(topic), PARTITIONS, DLQ_RETENTION_MS),
    ]


TOPICS: tuple[TopicSpec, ...] = tuple(
    spec for topic in (ORDERS_INTAKE, ORDERS_CREATED, PAYMENTS_RESULTS) for spec in _family(topic)
)
