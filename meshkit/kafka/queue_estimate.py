"""How long a record waits in a topic: backlog ÷ drain rate of a group, read from the offsets once a second."""

import asyncio
import math
import time
from collections import deque
from itertools import pairwise

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from meshkit.log import get_logger

log = get_logger(__name__)
EVERY_SECONDS = 1.0
# The rate is taken over so many seconds: one batch more or less must not double it.
WINDOW_SECONDS = 5.0


class Drain:
    """Pure: (time, committed, end) samples in, an estimate out."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque()

    def add(self, at: float, committed: int, end: int) -> None:
        self._samples.append((at, committed, end))
        while at - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()

    def eta_seconds(self) -> float | None:
        """0 without a backlog; None while nothing drains, or too little is known."""
        if not self._samples:
            return None
        (began, first, _), (now, committed, end) = self._samples[0], self._samples[-1]
        if end <= committed:
            return 0.0
        if now <= began or committed <= first:
            return None
        return (end - committed) / ((committed - first) / (now - began))

    def backlog(self) -> int | None:
        """None before the first sample."""
        return max(0, self._samples[-1][2] - self._samples[-1][1]) if self._samples else None

    def wait_seconds(self) -> float | None:
        """As `eta_seconds`, by the rate while there was something to do: idle time before a burst says nothing of it.
        Infinite where a backlog stood for the whole window and nothing drained."""
        samples = list(self._samples)
        backlog = self.backlog()
        if not backlog:
            return None if backlog is None else 0.0
        steps = [(old, new) for old, new in pairwise(samples) if old[2] > old[1] or new[1] > old[1]]
        drained, seconds = sum(new[1] - old[1] for old, new in steps), sum(new[0] - old[0] for old, new in steps)
        if drained > 0 and seconds > 0:
            return backlog * seconds / drained
        return math.inf if seconds >= WINDOW_SECONDS - EVERY_SECONDS else None


class QueueEstimate:
    """`run` must be running for `eta_seconds` to know anything."""

    def __init__(self, bootstrap: str, topic: str, group: str, partitions: int) -> None:
        self._bootstrap, self._group, self._drain = bootstrap, group, Drain()
        self._places = [TopicPartition(topic, number) for number in range(partitions)]

    def eta_seconds(self) -> float | None:
        return self._drain.eta_seconds()

    def backlog(self) -> int | None:
        """Records not committed yet; None: not known."""
        return self._drain.backlog()

    def wait_seconds(self) -> float | None:
        return self._drain.wait_seconds()

    async def run(self) -> None:
        """Kafka away: the estimate is not known, and the reads go on."""
        while True:
            try:
                await self._watch()
            except (KafkaError, OSError, TimeoutError) as error:
                self._drain = Drain()
                log.info("queue estimate not known", error=repr(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def _watch(self) -> None:
        # Assigned, not subscribed: it reads the group's offsets and never joins it.
        client = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=self._group, enable_auto_commit=False)
        try:
            await client.start()
            client.assign(self._places)
            while True:
                async with asyncio.timeout(5):
                    ends = await client.end_offsets(self._places)
                    done = [await client.committed(place) or 0 for place in self._places]
                self._drain.add(time.monotonic(), sum(done), sum(ends.values()))
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            await client.stop()
