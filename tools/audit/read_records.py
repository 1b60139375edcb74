"""Records of topics, read to the end they had when the reading began."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from kernel.topics import TOPICS


@asynccontextmanager
async def reader(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group: it leaves no trace."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


def places_of(topics: Collection[str]) -> list[TopicPartition]:
    """Every partition of these topics, as they are declared."""
    mine = [spec for spec in TOPICS if spec.name in topics]
    return [TopicPartition(spec.name, number) for spec in mine for number in range(spec.partitions)]


async def read_to_end(consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int]) -> AsyncIterator[Any]:
    """Each partition from its start on."""
    ends = await consumer.end_offsets(list(starts))
    left = {place for place, end in ends.items() if end > starts[place]}
    if not left:
        return
    consumer.assign(list(left))
    for place in left:
        consumer.seek(place, starts[place])
    while left:
        for raws in (await consumer.getmany(timeout_ms=1000, max_records=5000)).values():
            for raw in raws:
                yield raw
        left = {place for place in left if await consumer.position(place) < ends[place]}
