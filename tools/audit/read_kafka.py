"""What the Kafka log has: every order published, every dead letter, and how far each group is behind."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from kernel.topics import GROUPS, ORDERS_INTAKE, dlq_topic
from peakmesh.event.v1.events_pb2 import OrderIntake
from tools.audit.facts import DeadLetter, Log, Published
from tools.audit.read_records import places_of, read_to_end, reader

READ_TOPICS = tuple(dict.fromkeys(GROUPS.values()))  # two groups may read one topic
DEAD = tuple(dlq_topic(topic) for topic in READ_TOPICS)


async def read_log(bootstrap: str, offers: frozenset[int]) -> Log:
    """Reads the intake log from its beginning to its present end, keeping the records of `offers`."""
    async with reader(bootstrap) as consumer:
        published = [each async for raw in _records(consumer, [ORDERS_INTAKE]) if (each := _published(raw, offers))]
        letters = [_letter(raw) async for raw in _records(consumer, DEAD)]
        ends = await _ends(consumer, READ_TOPICS)
    return Log(published, letters, await _lag(bootstrap, ends))


async def _ends(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> dict[TopicPartition, int]:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places_of(topics))
    return ends


async def _records(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> AsyncIterator[Any]:
    async for raw in read_to_end(consumer, await consumer.beginning_offsets(places_of(topics))):
        yield raw


def _published(raw: Any, offers: frozenset[int]) -> Published | None:
    """None for fences, other sales' records and foreign bytes (those reach the DLQ, and I11 looks there)."""
    try:
        intake = OrderIntake.FromString(raw.value or b"")
    except ValueError:
        return None
    kind = intake.WhichOneof("body")
    if kind not in ("accepted", "cancelled"):
        return None
    order = intake.accepted if kind == "accepted" else intake.cancelled.order
    if order.offer_no not in offers:
        return None
    return Published(order.order_id, order.offer_no, order.request_hash, order.discount_minor, kind == "cancelled")


def _letter(raw: Any) -> DeadLetter:
    return DeadLetter(raw.topic, (raw.key or b"").decode("utf-8", "replace"))


async def _lag(bootstrap: str, ends: dict[TopicPartition, int]) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        lag = {}
        for group, topic in GROUPS.items():
            done = await admin.list_consumer_group_offsets(group)
            mine = {place: end for place, end in ends.items() if place.topic == topic}
            lag[group] = sum(max(0, end - _offset(done, place)) for place, end in mine.items())
        return lag
    finally:
        await admin.close()


def _offset(done: dict[TopicPartition, Any], place: TopicPartition) -> int:
    return max(0, done[place].offset) if place in done else 0
