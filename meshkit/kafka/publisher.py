"""Publishing to Kafka with acks from all replicas."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId

from meshkit.log import get_logger

log = get_logger(__name__)
Headers = Sequence[tuple[str, bytes]]
# These stick to a partition until the producer is a new one.
_STUCK = (OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)


class Publisher:
    """An idempotent producer, replaced by a new one when a partition is stuck.

    A record handed over is never taken back: giving up waiting for its ack leaves the outcome unknown.
    """

    def __init__(self, bootstrap: str, client_id: str, linger_ms: int) -> None:
        self._bootstrap, self._client_id, self._linger_ms = bootstrap, client_id, linger_ms
        self._producer = self._new()
        self._replacing: asyncio.Task[None] | None = None

    def _new(self) -> AIOKafkaProducer:
        # One batch in flight a partition: 16 KiB batches without linger cost a request an order.
        return AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=self._linger_ms,
            max_batch_size=512 * 1024,
            request_timeout_ms=5_000,
            retry_backoff_ms=50,
            metadata_max_age_ms=30_000,
        )

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        if self._replacing is not None:
            await asyncio.wait([self._replacing])
        await self._producer.stop()

    async def publish(
        self, topic: str, key: str, value: bytes, headers: Headers = (), partition: int | None = None
    ) -> asyncio.Future[Any]:
        """Hands one record over; the future resolves with its ack. Wait with `shield`: a time-out is *unknown*.
        `partition` None: by the key."""
        future: asyncio.Future[Any] = await self._producer.send(
            topic, value, key.encode(), partition=partition, headers=list(headers) or None
        )
        future.add_done_callback(self._watch)
        return future

    async def publish_all(self, topic: str, records: Sequence[tuple[str, bytes, Headers]]) -> None:
        """Publishes and waits for every ack; raises the first KafkaError."""
        if records:
            await asyncio.gather(*[await self.publish(topic, *record) for record in records])

    def _watch(self, future: asyncio.Future[Any]) -> None:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, _STUCK) and self._replacing is None:
            log.warning("producer replaced", error=repr(error))
            self._replacing = asyncio.create_task(self._replace())

    async def _replace(self) -> None:
        fresh, stuck = self._new(), self._producer
        try:
            await fresh.start()
            self._producer = fresh
            await stuck.stop()
        except KafkaError as error:
            log.warning("stuck producer not replaced", error=repr(error))
        finally:
            self._replacing = None


@asynccontextmanager
async def publishing(bootstrap: str, client_id: str, *, linger_ms: int = 2) -> AsyncIterator[Publisher]:
    publisher = Publisher(bootstrap, client_id, linger_ms)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()
