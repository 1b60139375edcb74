"""Consuming from Kafka in batches, with offsets committed by the caller after the effects."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from meshkit.log import get_logger

log = get_logger(__name__)
Partition = tuple[str, int]
OnRevoke = Callable[[Sequence[Partition]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Record:
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, bytes]
    timestamp_ms: int


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, on_revoke: OnRevoke) -> None:
        self._on_revoke = on_revoke

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._on_revoke([(each.topic, each.partition) for each in revoked])

    async def on_partitions_assigned(self, assigned: Any) -> None:
        log.info("partitions assigned", partitions=sorted(f"{each.topic}/{each.partition}" for each in assigned))


class Consumer:
    """A member of a consumer group. The committed offset is the retry cursor: effects first, offset last."""

    def __init__(self, client: AIOKafkaConsumer, max_records: int) -> None:
        self._client, self._max_records = client, max_records

    async def poll(self, timeout: float = 0.2, max_records: int | None = None) -> list[Record]:
        """Up to `max_records`, in offset order a partition; empty after `timeout` seconds without any."""
        found = await self._client.getmany(timeout_ms=int(timeout * 1000), max_records=max_records or self._max_records)
        return [_record(raw) for raws in found.values() for raw in raws]

    async def commit(self, next_offsets: Mapping[Partition, int]) -> bool:
        """Commits; False when the partitions are no longer ours (another member will do the records again)."""
        if not next_offsets:
            return True
        try:
            await self._client.commit({TopicPartition(*each): offset for each, offset in next_offsets.items()})
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("commit refused, records will be done again", error=repr(error))
            return False
        return True

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self._client.seek(TopicPartition(topic, partition), offset)

    def pause(self, topic: str, partition: int) -> None:
        self._client.pause(TopicPartition(topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        self._client.resume(TopicPartition(topic, partition))

    def assignment(self) -> set[Partition]:
        return {(each.topic, each.partition) for each in self._client.assignment()}

    async def lag(self) -> dict[Partition, int]:
        """Records not committed yet, by assigned partition."""
        mine = list(self._client.assignment())
        ends = await self._client.end_offsets(mine) if mine else {}
        done = {each: await self._client.committed(each) or 0 for each in mine}
        return {(each.topic, each.partition): max(0, ends[each] - done[each]) for each in mine}


def _record(raw: Any) -> Record:
    key = raw.key.decode("utf-8", "replace") if raw.key else ""
    return Record(raw.topic, raw.partition, raw.offset, key, raw.value or b"", dict(raw.headers or ()), raw.timestamp)


def next_offsets(records: Sequence[Record]) -> dict[Partition, int]:
    """What to commit once all of `records` are done."""
    offsets: dict[Partition, int] = {}
    for each in records:
        place = (each.topic, each.partition)
        offsets[place] = max(offsets.get(place, 0), each.offset + 1)
    return offsets


async def _nothing(_: Sequence[Partition]) -> None:
    return None


@asynccontextmanager
async def consuming(
    bootstrap: str,
    topics: Sequence[str],
    group: str,
    *,
    max_records: int = 500,
    on_revoke: OnRevoke = _nothing,
    rebalance_timeout: float = 30.0,
) -> AsyncIterator[Consumer]:
    """Joins `group` from the earliest uncommitted record: an offset that was lost must not skip orders."""
    client = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        client_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,  # the least a broker takes: so long a killed member's partitions wait
        heartbeat_interval_ms=1_000,
        # Defaults to the session time-out: too short for a batch that waits on the database.
        rebalance_timeout_ms=int(rebalance_timeout * 1000),
        max_poll_interval_ms=300_000,
        fetch_max_wait_ms=100,
    )
    client.subscribe(list(topics), listener=_Listener(on_revoke))
    try:
        await client.start()
        yield Consumer(client, max_records)
    finally:
        await asyncio.wait_for(client.stop(), 15)
