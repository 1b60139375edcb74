"""Outages are outlived, without limit: they end, and what was accepted before them must still be done.

Not a library's: those sleep, and a consumer that does not poll meanwhile is thrown out of its group (`wait`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from prometheus_client import Counter

from meshkit.log import get_logger

T = TypeVar("T")
Wait = Callable[[float], Awaitable[None]]

log = get_logger(__name__)
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0


async def retry_forever(
    what: str,
    work: Callable[[], Awaitable[T]],
    passes: Callable[[Exception], bool],
    *,
    first: float = FIRST_WAIT,
    longest: float = LONGEST_WAIT,
    wait: Wait = asyncio.sleep,
    waits: Counter | None = None,
) -> T:
    """The result of `work`, tried again after each error that `passes`; any other is raised.

    Waits `first` seconds, then twice as long each time, up to `longest`. `wait` may raise to give up; `waits` has the
    label `what`.
    """
    delay = first
    while True:
        try:
            return await work()
        except Exception as error:
            if not passes(error):
                raise
            if waits is not None:
                waits.labels(what).inc()
            log.warning("waiting to try again", what=what, error=repr(error), seconds=delay)
        await wait(delay)
        delay = min(longest, delay * 2)


async def every(seconds: float, what: str, work: Callable[[], Awaitable[object]], *outages: type[Exception]) -> None:
    """Does `work` now, and again so many `seconds` after each end, until cancelled.

    One of `outages` is left to the next turn; any other error is raised.
    """
    while True:
        try:
            await work()
        except outages as error:
            log.warning("put off to the next turn", what=what, error=repr(error))
        await asyncio.sleep(seconds)
