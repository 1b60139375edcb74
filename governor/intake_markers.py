"""A rebuild's markers in `orders.intake`: written to each partition, and passed by order_worker."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.carried import CORE
from kernel.schema import intake_fence
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.db.errors import database_answers
from meshkit.errors import DependencyUnavailable
from meshkit.kafka.publisher import publishing
from peakmesh.event.v1.events_pb2 import Fence, OrderIntake

SECONDS = 10.0
_HEADERS = (("event-type", b"OrderIntake.fence"), CORE)


class IntakeMarkers:
    """Every method raises DependencyUnavailable."""

    def __init__(self, bootstrap: str, engine: AsyncEngine) -> None:
        self._bootstrap, self._engine = bootstrap, engine

    async def write(self, epoch: int) -> None:
        """Returns with the acks of all. Written twice they mean the same: the first of an epoch counts."""
        with _kafka_answers():
            async with asyncio.timeout(SECONDS), publishing(self._bootstrap, "governor") as publisher:
                for number in range(PARTITIONS):
                    marker = OrderIntake(fence=Fence(epoch=epoch, partition=number)).SerializeToString()
                    await (await publisher.publish(ORDERS_INTAKE, f"fence:{epoch}", marker, _HEADERS, number))

    async def passed(self, epoch: int) -> int:
        """Partitions of which everything up to the marker is a row. The marker's own row is written before those that
        came with it in one batch; the group's offset is committed after all of them."""
        with database_answers():
            async with self._engine.connect() as connection:
                query = select(intake_fence.c.partition_no, intake_fence.c.fence_offset)
                rows = list(await connection.execute(query.where(intake_fence.c.epoch == epoch)))
        if not rows:
            return 0
        committed = await self._committed()
        return sum(committed.get(row.partition_no, 0) > row.fence_offset for row in rows)

    async def _committed(self) -> dict[int, int]:
        """Offset of the next record to read, by partition."""
        with _kafka_answers():
            async with asyncio.timeout(SECONDS):
                admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
                try:
                    await admin.start()
                    found = await admin.list_consumer_group_offsets(ORDER_WORKER)
                finally:
                    await admin.close()
        places = {TopicPartition(ORDERS_INTAKE, number): number for number in range(PARTITIONS)}
        return {places[place]: each.offset for place, each in found.items() if place in places}


@contextmanager
def _kafka_answers() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise DependencyUnavailable("kafka", f"kafka: {error!r}") from error
