"""Waiting in tests: poll with a deadline, never sleep and hope."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(check: Callable[[], Awaitable[bool] | bool], within: float = 5.0, every: float = 0.02) -> None:
    """Returns once `check` is true; raises AssertionError when it is not `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = check()
        if answer if isinstance(answer, bool) else await answer:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {within} s: {getattr(check, '__qualname__', check)}")
        await asyncio.sleep(every)
