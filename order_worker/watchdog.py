"""Ends a worker that has a backlog and does nothing about it, so that the supervisor starts a fresh one."""

import asyncio
import time

from meshkit.kafka.consumer import Consumer
from meshkit.log import get_logger
from order_worker import metrics
from order_worker.batch_loop import BatchLoop

log = get_logger(__name__)
CHECK_SECONDS = 2.0


class Stalled(Exception):
    """There is a backlog and nothing was done about it for longer than allowed; the message says how long."""


async def watch(name: str, loop: BatchLoop, consumer: Consumer, patience_seconds: float) -> None:
    """Raises Stalled."""
    moved_at, signs = time.monotonic(), loop.signs_of_life
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        backlog = await _backlog(name, consumer)
        if backlog == 0 or loop.signs_of_life != signs:
            moved_at, signs = time.monotonic(), loop.signs_of_life
        idle = time.monotonic() - moved_at
        if idle > patience_seconds:
            raise Stalled(f"{name}: backlog {backlog}, nothing done for {idle:.0f} s")


async def _backlog(name: str, consumer: Consumer) -> int:
    """0 too where Kafka does not tell: the consumer reconnects by itself, and a restart would not bring Kafka back."""
    try:
        backlog = sum((await asyncio.wait_for(consumer.lag(), CHECK_SECONDS)).values())
    except Exception as error:
        log.info("backlog not known", consumer=name, error=repr(error))
        return 0
    metrics.BACKLOG.labels(name).set(backlog)
    return backlog
