"""What the Kafka log has: every order published, every dead letter, and how far each group is behind."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from google.protobuf.message import DecodeError

from kernel.topics import GROUPS, ORDERS_INTAKE, RETENTION_MS, dlq_topic
from meshkit.clock import wall_ms
from peakmesh.event.v1.events_pb2 import OrderIntake
from tools.audit.facts import DeadLetter, Log, Published
from tools.audit.read_records import places_of, read_to_end, reader

READ_TOPICS = tuple(dict.fromkeys(GROUPS.values()))  # two groups may read one topic
DEAD = tuple(dlq_topic(topic) for topic in READ_TOPICS)
CLOCKS_MS = 60_000  # a partition's records are in the order of their times but for as much as the clocks differ
Place = TypeVar("Place")


async def read_log(bootstrap: str, offers: frozenset[int]) -> Log:
    """Reads the intake log from its beginning to its present end, keeping the records of `offers`."""
    async with reader(bootstrap) as consumer:
        starts = await consumer.beginning_offsets(places_of([ORDERS_INTAKE]))
        firsts = await consumer.offsets_for_times(dict.fromkeys(starts, 0))
        published, foreign = await sorted_out(read_to_end(consumer, starts), offers)
        letters = [_letter(raw) async for raw in _records(consumer, DEAD)]
        ends = await _ends(consumer, READ_TOPICS)
    since_ms = whole_since(starts, {place: at and at.timestamp for place, at in firsts.items()}, wall_ms())
    return Log(published, letters, await _lag(bootstrap, ends), foreign, since_ms)


def whole_since(starts: Mapping[Place, int], firsts: Mapping[Place, int | None], now_ms: int) -> int:
    """`since_ms` of a Log. `starts`: each partition's first offset; `firsts`: that record's time, None without any.

    Younger than the retention nothing may be missing, whatever the topic begins with: somebody dropped it too early.
    """
    cut = [firsts[place] or now_ms for place, start in starts.items() if start > 0]
    return min(max(cut) + CLOCKS_MS, now_ms - RETENTION_MS) if cut else 0


async def _ends(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> dict[TopicPartition, int]:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places_of(topics))
    return ends


async def _records(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> AsyncIterator[Any]:
    async for raw in read_to_end(consumer, await consumer.beginning_offsets(places_of(topics))):
        yield raw


async def sorted_out(raws: AsyncIterator[Any], offers: frozenset[int]) -> tuple[list[Published], list[str]]:
    """The orders of `offers` among these records, and topic/partition/offset of those that are no order at all."""
    published: list[Published] = []
    foreign: list[str] = []
    async for raw in raws:
        try:
            found = _published(raw, offers)
        except DecodeError:
            foreign.append(f"{raw.topic}/{raw.partition}/{raw.offset}")
        else:
            published += [found] if found else []
    return published, foreign


def _published(raw: Any, offers: frozenset[int]) -> Published | None:
    """None for fences and other sales' records. Raises DecodeError for foreign bytes."""
    intake = OrderIntake.FromString(raw.value or b"")
    kind = intake.WhichOneof("body")
    if kind is None:
        raise DecodeError("an OrderIntake without a body")
    order = intake.accepted if kind == "accepted" else intake.cancelled.order
    if kind == "fence" or order.offer_no not in offers:
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
