"""Ends a worker that has work and does none: a restart reads on from the committed offsets."""

import asyncio

from aiokafka.errors import KafkaError

from kernel.topics import ORDERS_CREATED
from meshkit.kafka.consumer import Consumer
from meshkit.log import get_logger
from payment_worker.consume_orders import ConsumeOrders

log = get_logger(__name__)
LOOK_EVERY = 5.0


class StalledError(Exception):
    """There is lag, and no record ended for the limit."""


async def watch(orders: ConsumeOrders, consumer: Consumer, limit: float) -> None:
    """`limit` in seconds. Retry topics do not count: their records wait on purpose. Raises StalledError."""
    loop = asyncio.get_running_loop()
    seen, since = orders.ended, loop.time()
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            lag = sum(count for (topic, _), count in (await consumer.lag()).items() if topic == ORDERS_CREATED)
        except KafkaError as error:
            log.warning("lag unknown", error=repr(error))
            continue
        if orders.ended != seen or lag == 0:
            seen, since = orders.ended, loop.time()
        elif loop.time() - since > limit:
            raise StalledError(f"{lag} records wait and none ended for {limit:.0f} s")
