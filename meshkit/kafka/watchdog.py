"""Ends a worker that has a backlog and does nothing about it: a fresh one reads on from the committed offsets."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from meshkit.kafka.consumer import Partition
from meshkit.log import get_logger
from meshkit.metrics import BACKLOG

log = get_logger(__name__)
CHECK_SECONDS = 2.0


class StalledError(Exception):
    """There is a backlog and nothing was done about it for longer than allowed; the message says how long."""


class Lagging(Protocol):
    async def lag(self) -> Mapping[Partition, int]: ...


async def watch(
    consumer: Lagging, topic: str, progress: Callable[[], int], limit_seconds: float, every: float = CHECK_SECONDS
) -> None:
    """Raises StalledError once `topic` has a backlog and `progress()` stood still for `limit_seconds`.

    Other topics of the consumer do not count: the records of a retry topic wait on purpose.
    """
    moved_at, seen = time.monotonic(), progress()
    while True:
        await asyncio.sleep(every)
        backlog = await _backlog(consumer, topic)
        if backlog == 0 or progress() != seen:
            moved_at, seen = time.monotonic(), progress()
        idle = time.monotonic() - moved_at
        if idle > limit_seconds:
            raise StalledError(f"{topic}: backlog {backlog}, nothing done for {idle:.0f} s")


async def _backlog(consumer: Lagging, topic: str) -> int:
    """0 too where Kafka does not tell: the consumer reconnects by itself, and a restart would not bring Kafka back."""
    try:
        lag = await asyncio.wait_for(consumer.lag(), CHECK_SECONDS)
    except Exception as error:
        log.info("backlog not known", topic=topic, error=repr(error))
        return 0
    backlog = sum(count for (name, _), count in lag.items() if name == topic)
    BACKLOG.labels(topic).set(backlog)
    return backlog
