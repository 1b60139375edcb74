"""What is done on the clock: expiry, the reconciler, the sweeper. One process at a time, by lease."""

import asyncio
from collections.abc import Awaitable, Callable

from kernel.stock.port import StockPort
from meshkit.log import get_logger
from order_worker import metrics
from order_worker.outages import is_outage

log = get_logger(__name__)


async def every(
    seconds: float, name: str, job: Callable[[], Awaitable[int]], leased: Callable[[], Awaitable[bool]]
) -> None:
    """Runs `job` while `leased`; an outage is left to the next turn, any other error is raised."""
    while True:
        await asyncio.sleep(seconds)
        try:
            # Two at once would be harmless, every job being idempotent, and merely twice the load.
            if await leased():
                await job()
        except Exception as error:
            if not is_outage(error):
                raise
            metrics.OUTAGES.labels(name).inc()
            log.warning("put off", job=name, error=repr(error))


def lease_of(stock: StockPort, name: str, holder: str, seconds: float) -> Callable[[], Awaitable[bool]]:
    return lambda: stock.lease(f"order_worker.{name}", holder, int(seconds * 1000))
