"""Topics, lag and dead letters of the broker, read-only."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from kernel.topics import GROUPS, TOPICS, dlq_topic
from meshkit.kafka.topics import read_config
from tools.preflight.facts import KafkaServer, TopicFacts


async def read_kafka(bootstrap: str) -> KafkaServer:
    """Raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topics, brokers = await _topics(admin), len((await admin.describe_cluster())["brokers"])
        done = {group: await admin.list_consumer_group_offsets(group) for group in GROUPS}
    finally:
        await admin.close()
    begins, ends = await _offsets(bootstrap, topics)
    lag = {group: _lag(done[group], _of(ends, topic)) for group, topic in GROUPS.items()}
    dead = {}
    for topic in map(dlq_topic, set(GROUPS.values())):
        dead[topic] = sum(_of(ends, topic).values()) - sum(_of(begins, topic).values())
    return KafkaServer(brokers, topics, lag, dead)


async def _topics(admin: Any) -> dict[str, TopicFacts]:
    there = set(await admin.list_topics())
    names = [spec.name for spec in TOPICS if spec.name in there]
    if not names:
        return {}
    partitions = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(names)}
    config = await read_config(admin, names)
    return {name: TopicFacts(partitions[name], config.get(name, {})) for name in names}


Offsets = dict[TopicPartition, int]


async def _offsets(bootstrap: str, topics: dict[str, TopicFacts]) -> tuple[Offsets, Offsets]:
    places = [TopicPartition(name, number) for name, found in topics.items() for number in range(found.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        return (await consumer.beginning_offsets(places), await consumer.end_offsets(places)) if places else ({}, {})
    finally:
        await consumer.stop()


def _of(offsets: Offsets, topic: str) -> Offsets:
    return {place: offset for place, offset in offsets.items() if place.topic == topic}


def _lag(done: dict[TopicPartition, Any], ends: Offsets) -> int:
    return sum(max(0, end - max(0, done[place].offset if place in done else 0)) for place, end in ends.items())
