"""Outages are waited out, without limit: a frozen database must not fill the dead-letter topic."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError

from meshkit.db.errors import is_transient
from meshkit.errors import DependencyUnavailable
from meshkit.patience import Wait, retry_forever
from order_worker import metrics

T = TypeVar("T")


def is_outage(error: BaseException) -> bool:
    """True where the same call may succeed later without anybody changing the data."""
    if isinstance(error, KafkaError):
        return bool(error.retriable)
    return isinstance(error, DependencyUnavailable) or is_transient(error)


async def patiently(what: str, work: Callable[[], Awaitable[T]], wait: Wait = asyncio.sleep) -> T:
    """The result of `work`, tried again after every outage. Any other error is raised; `wait` may raise to give up."""
    return await retry_forever(what, work, is_outage, wait=wait, waits=metrics.OUTAGES)
