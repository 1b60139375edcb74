"""Waiting in tests: poll with a deadline, never sleep and hope."""

import asyncio
import time
from collections.abc import Awaitable, Callable

# No promise, but the end of a test that would hang: seconds of a machine that stood still are no defect.
PATIENCE = 20.0


async def eventually(
    check: Callable[[], Awaitable[bool] | bool], within: float = PATIENCE, every: float = 0.02
) -> None:
    """Returns once `check` is true; raises AssertionError when it is not `within` seconds. It is asked once more past
    that time: an answer from before says nothing of a machine that stood still since."""
    deadline = time.monotonic() + within
    while True:
        past = time.monotonic() > deadline
        answer = check()
        if answer if isinstance(answer, bool) else await answer:
            return
        if past:
            raise AssertionError(f"not true within {within} s: {getattr(check, '__qualname__', check)}")
        await asyncio.sleep(every)
