"""Outages are waited out, without limit: a frozen database must not fill the dead-letter topic."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from meshkit.db.errors import is_transient
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger
from order_worker import metrics

T = TypeVar("T")
Wait = Callable[[float], Awaitable[None]]

log = get_logger(__name__)
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
# What Redis says while it loads its AOF, has no room, or a script was cut off: its own trouble, not the order's.
_REDIS_TROUBLES = ("LOADING", "OOM", "MISCONF", "BUSY", "READONLY", "TRYAGAIN", "CLUSTERDOWN", "UNKILLABLE")


def is_outage(error: BaseException) -> bool:
    """True where the same call may succeed later without anybody changing the data."""
    if isinstance(error, RedisConnectionError | RedisTimeout | TimeoutError | DependencyUnavailable):
        return True
    if isinstance(error, ResponseError):
        return str(error).startswith(_REDIS_TROUBLES)
    if isinstance(error, KafkaError):
        return bool(error.retriable)
    return is_transient(error)


async def patiently(what: str, work: Callable[[], Awaitable[T]], wait: Wait = asyncio.sleep) -> T:
    """The result of `work`, tried again after every outage. Any other error is raised; `wait` may raise to give up."""
    delay = FIRST_WAIT
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_outage(error):
                raise
            metrics.OUTAGES.labels(what).inc()
            log.warning("waiting for an outage to end", what=what, error=repr(error), seconds=delay)
        await wait(delay)
        delay = min(LONGEST_WAIT, delay * 2)
