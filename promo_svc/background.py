"""What runs beside the calls: the consumer of results, and the upkeep of the holds. No outage ends it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.stock.durability import check_durability
from kernel.topics import PAYMENTS_RESULTS, PROMO_SVC
from meshkit.errors import DependencyUnavailable
from meshkit.kafka.consumer import Record, consuming, next_offsets
from meshkit.log import get_logger
from meshkit.patience import retry_forever
from promo_svc.metrics import WAITS

log = get_logger(__name__)
_OUTAGES = (DependencyUnavailable, RedisError, KafkaError, OSError, TimeoutError)


class Handle(Protocol):
    async def __call__(self, records: Sequence[Record]) -> None: ...


async def follow_results(bootstrap: str, handle: Handle) -> None:
    """poll → effects → commit, for ever; a Kafka that is away is waited for."""
    while True:
        await _patiently("kafka", partial(_consume, bootstrap, handle))


async def _consume(bootstrap: str, handle: Handle) -> None:
    async with consuming(bootstrap, [PAYMENTS_RESULTS], PROMO_SVC) as consumer:
        while True:
            records = await consumer.poll(0.5)
            if records:
                # Revoked meanwhile: the commit is refused, and another member does them again.
                await _patiently("results", partial(handle, records))
                await consumer.commit(next_offsets(records))


async def keep_up(redis: Redis, unsafe: bool, seconds: float, *jobs: Callable[[], Awaitable[object]]) -> None:
    """Each of `jobs` now and every `seconds`. Raises UnsafeRedisError where grants could be forgotten."""
    await _patiently("redis", partial(check_durability, redis, unsafe))
    while True:
        for job in jobs:
            try:
                await job()
            except _OUTAGES as error:
                WAITS.labels("upkeep").inc()
                log.warning("upkeep put off", error=repr(error))
        await asyncio.sleep(seconds)


async def _patiently(what: str, work: Callable[[], Awaitable[object]]) -> None:
    await retry_forever(what, work, lambda error: isinstance(error, _OUTAGES), waits=WAITS)
