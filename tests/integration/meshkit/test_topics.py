"""Topics on a real broker: made where missing, refused by name where an outage could lose orders."""

import uuid

import pytest

from meshkit.kafka.topics import TopicsDiffer, TopicSpec, check_topics, ensure_topics
from tools.devstack import Mesh

HOUR_MS = 3600 * 1000


def spec(name: str, partitions: int = 2, hours: int = 48) -> TopicSpec:
    return TopicSpec(name, partitions, hours * HOUR_MS)


async def test_what_is_missing_is_made_once(data_servers: Mesh) -> None:
    kafka, name = data_servers.settings.kafka, f"topics-{uuid.uuid4().hex[:8]}"
    assert await ensure_topics(kafka, [spec(name)]) == [name]
    assert await ensure_topics(kafka, [spec(name)]) == []


async def test_records_kept_longer_than_declared_are_welcome(data_servers: Mesh) -> None:
    kafka, name = data_servers.settings.kafka, f"topics-{uuid.uuid4().hex[:8]}"
    await ensure_topics(kafka, [spec(name, hours=72)])
    assert await ensure_topics(kafka, [spec(name, hours=48)]) == []


async def test_unsafe_accepts_what_could_lose_records_and_no_other_shape(data_servers: Mesh) -> None:
    kafka, name = data_servers.settings.kafka, f"topics-{uuid.uuid4().hex[:8]}"
    await ensure_topics(kafka, [spec(name, hours=1)])
    await ensure_topics(kafka, [spec(name, hours=48)], unsafe=True)
    with pytest.raises(TopicsDiffer) as raised:
        await check_topics(kafka, [spec(name, partitions=4, hours=48)], unsafe=True)
    assert str(raised.value) == f"{name}: partitions is 2, declared 4"


async def test_what_differs_is_named_all_at_once(data_servers: Mesh) -> None:
    kafka, name = data_servers.settings.kafka, f"topics-{uuid.uuid4().hex[:8]}"
    await ensure_topics(kafka, [spec(name, partitions=2, hours=1)])
    with pytest.raises(TopicsDiffer) as raised:
        await ensure_topics(kafka, [spec(name, partitions=4, hours=48)])
    assert f"{name}: partitions is 2, declared 4" in str(raised.value)
    assert f"{name}: retention.ms is {HOUR_MS}, declared {48 * HOUR_MS} at least" in str(raised.value)
