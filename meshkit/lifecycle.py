"""A process from start to stop: settings, logs, event loop, signals, exit status."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import uvloop

from meshkit.log import get_logger, setup_logging
from meshkit.metrics import READY
from meshkit.settings import ProcessSettings, load

S = TypeVar("S", bound=ProcessSettings)
Running = Callable[[S], AbstractAsyncContextManager[Any]]

log = get_logger(__name__)
CANCEL_AGAIN_SECONDS = 2.0


def main(running: Running[S], settings_class: type[S], process: str) -> None:
    """Runs until SIGTERM or SIGINT (status 0) or until a part of it fails (status 1)."""
    settings = load(settings_class)
    setup_logging(process, settings.log_level)
    try:
        uvloop.run(_until_signal(running, settings))
    except Exception:
        log.exception("process failed")
        raise SystemExit(1) from None


async def _until_signal(running: Running[S], settings: S) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A handler on the loop, since `try/finally` around a blocking wait is never reached when grpc swallows the signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings):
        # What was imported lives as long as the process: each collection would look through all of it again, every few
        # seconds under load, and stop the loop for as long.
        gc.collect()
        gc.freeze()
        READY.set(1)
        log.info("ready")
        try:
            await stop.wait()
        finally:
            READY.set(0)
        log.info("stopping")
    log.info("stopped")


@asynccontextmanager
async def background(*parts: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `parts` beside the block. One that raises cancels the block and is raised from it; leaving cancels them."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        try:
            yield
        finally:
            await _end(tasks)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels until it takes: on Python 3.11 a `wait_for` inside a library (redis-py writes under one) can swallow a
    cancel, and a loop that misses its only one runs for ever: 1 stop in 13 hung."""
    left = [task for task in tasks if not task.done()]
    while left:
        for task in left:
            task.cancel()
        _, pending = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
        left = list(pending)
