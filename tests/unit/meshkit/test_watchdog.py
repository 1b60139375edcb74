import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from aiokafka.errors import KafkaConnectionError

from meshkit.kafka.consumer import Partition
from meshkit.kafka.watchdog import StalledError, watch
from tests.polling import eventually

LIMIT, EVERY = 0.05, 0.005


class FakeConsumer:
    def __init__(self, lag: dict[Partition, int] | None) -> None:
        self.given, self.looks = lag, 0

    async def lag(self) -> dict[Partition, int]:
        self.looks += 1
        if self.given is None:
            raise KafkaConnectionError
        return self.given


async def test_a_backlog_that_nobody_touches_ends_the_worker() -> None:
    with pytest.raises(StalledError, match=r"^orders: backlog 3, nothing done"):
        await watch(FakeConsumer({("orders", 0): 1, ("orders", 1): 2}), "orders", lambda: 7, LIMIT, EVERY)


def moving() -> Iterator[int]:
    return count()


@pytest.mark.parametrize("lag", [{}, {("orders", 0): 0}, {("orders.retry.5s", 0): 9}, None])
async def test_without_a_backlog_of_its_topic_or_without_kafka_it_goes_on(lag: dict[Partition, int] | None) -> None:
    await _outlives_the_limit(FakeConsumer(lag), iter(lambda: 7, None))


async def test_a_backlog_that_is_worked_on_is_no_stall() -> None:
    await _outlives_the_limit(FakeConsumer({("orders", 0): 9}), moving())


async def _outlives_the_limit(consumer: FakeConsumer, progress: Iterator[int]) -> None:
    watching = asyncio.create_task(watch(consumer, "orders", lambda: next(progress), LIMIT, EVERY))
    await eventually(lambda: consumer.looks > 2 * LIMIT / EVERY)
    assert not watching.done()
    watching.cancel()
