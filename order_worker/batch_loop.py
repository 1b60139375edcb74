"""poll → effects → commit: the loop under both consumers of this process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from meshkit.kafka.consumer import Consumer, Partition, Record, next_offsets
from meshkit.log import get_logger
from meshkit.patience import Wait
from order_worker import metrics
from order_worker.pacing import Pace

log = get_logger(__name__)
POLL_SECONDS = 0.5
# Under the consumer's rebalance time-out of 30 s: a member that answers late is thrown out with its batch half done.
REVOKE_SECONDS = 20.0
DRAIN_SECONDS = 5.0


class BatchAbandoned(Exception):
    """Its partitions were revoked, or the process stopped, while it waited for an outage: it is done again later."""


class Handle(Protocol):
    async def __call__(self, records: Sequence[Record], wait: Wait) -> None:
        """All effects of `records`, durable on return; waits through `wait`."""


class BatchLoop:
    """The committed offset is the retry cursor: effects first, offset last.

    `signs_of_life` grows with every batch that ends and every outage waited for.
    """

    def __init__(self, name: str, handle: Handle, pace: Pace) -> None:
        self._name, self._handle, self._pace = name, handle, pace
        self._idle = asyncio.Event()
        self._idle.set()
        self._revoking = self._stopping = False
        self.signs_of_life = 0

    async def run(self, consumer: Consumer) -> None:
        while not self._stopping:
            records = await consumer.poll(POLL_SECONDS, self._pace.portion())
            if records:
                await self._pace.spend(len(records))
                await self._do(consumer, records)

    async def _do(self, consumer: Consumer, records: Sequence[Record]) -> None:
        self._idle.clear()
        self._revoking = False
        try:
            await self._handle(records, self._waiting(consumer))
            await consumer.commit(next_offsets(records))
            metrics.RECORDS.labels(self._name).inc(len(records))
        except BatchAbandoned:
            log.warning("batch abandoned, to be done again", records=len(records))
        finally:
            self.signs_of_life += 1
            self._idle.set()

    def _waiting(self, consumer: Consumer) -> Callable[[float], Awaitable[None]]:
        """A wait in which the group still sees a member that polls: without, it is thrown out after 5 minutes."""

        async def wait(seconds: float) -> None:
            # The loop is alive, and what it waits for is not: a restart would heal nothing.
            self.signs_of_life += 1
            mine = consumer.assignment()
            for each in mine:
                consumer.pause(*each)
            late = await consumer.poll(seconds)
            _rewind(consumer, late)
            for each in mine & consumer.assignment():
                consumer.resume(*each)
            if self._revoking or self._stopping:
                raise BatchAbandoned

        return wait

    async def on_revoke(self, partitions: Sequence[Partition]) -> None:
        """Lets the batch in hand end and commit; one that waits for an outage is abandoned."""
        self._revoking = True
        if not await self._ends_within(REVOKE_SECONDS):
            log.warning("batch not done at revocation; it will be done again", partitions=len(partitions))

    async def drain(self) -> None:
        """Takes no more records; lets the batch in hand end and commit."""
        self._stopping = True
        if not await self._ends_within(DRAIN_SECONDS):
            log.warning("batch not done at the stop; it will be done again", consumer=self._name)

    async def _ends_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _rewind(consumer: Consumer, records: Sequence[Record]) -> None:
    """Gives back records of partitions that were assigned during the wait."""
    first: dict[Partition, int] = {}
    for each in records:
        place = (each.topic, each.partition)
        first[place] = min(first.get(place, each.offset), each.offset)
    for (topic, partition), offset in first.items():
        consumer.seek(topic, partition, offset)
