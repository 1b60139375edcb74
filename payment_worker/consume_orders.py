"""Topic orders.created and its retry topics: many settlements at once, offsets committed behind the slowest."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from aiokafka.errors import KafkaError
from structlog.contextvars import bind_contextvars

from kernel.carried import carried
from meshkit.clock import wall_ms
from meshkit.errors import Undecodable
from meshkit.kafka.consumer import Partition, Record
from meshkit.log import get_logger
from payment_worker import metrics
from payment_worker.escalate import due_ms, is_last_try
from payment_worker.order import Order, decode_order
from payment_worker.ports import Ladder, Subscription
from payment_worker.settle_order import End, Ending
from payment_worker.watermark import Watermark

log = get_logger(__name__)
COMMIT_EVERY = 0.2


class Settle(Protocol):
    async def __call__(self, order: Order, *, last_try: bool) -> Ending: ...


class ConsumeOrders:
    """`grace` (seconds): how long settlements under way may go on when their partition is taken or the worker stops."""

    def __init__(
        self,
        settle: Settle,
        escalate: Ladder,
        *,
        concurrency: int,
        grace: float,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._settle, self._escalate, self._grace, self._now_ms = settle, escalate, grace, now_ms
        self._slots = asyncio.Semaphore(concurrency)
        self._marks: dict[Partition, Watermark] = {}
        self._held: dict[Partition, deque[Record]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation = 0
        self._consumer: Subscription | None = None
        self.ended = 0

    async def run(self, consumer: Subscription) -> None:
        """Until cancelled. Raises where a record could not be moved on: nothing is dropped."""
        self._consumer = consumer
        async with asyncio.TaskGroup() as group:
            committing = group.create_task(self._commit_often())
            try:
                while True:
                    await self._start_due(group)
                    await self._take(group, await consumer.poll(self._poll_seconds()))
            finally:
                committing.cancel()
                await self._abandon()

    async def on_revoke(self, _: Sequence[Partition]) -> None:
        """Rebalance is eager: all partitions go, so everything under way is finished or abandoned, then committed."""
        if self._consumer is not None:
            await self._abandon()

    async def _take(self, group: asyncio.TaskGroup, records: Collection[Record]) -> None:
        generation, now = self._generation, self._now_ms()
        for record in records:
            place = (record.topic, record.partition)
            if generation != self._generation:
                return
            if place in self._held or due_ms(record) > now:
                self._hold(place, record)
            else:
                await self._start(group, record, generation)

    def _hold(self, place: Partition, record: Record) -> None:
        """Kept until due; the partition is paused meanwhile, so that no more than one fetch of it is in memory."""
        if place not in self._held and self._consumer is not None:
            self._held[place] = deque()
            self._consumer.pause(*place)
        self._held[place].append(record)

    async def _start_due(self, group: asyncio.TaskGroup) -> None:
        generation = self._generation
        for place, records in list(self._held.items()):
            while records and due_ms(records[0]) <= self._now_ms():
                await self._start(group, records.popleft(), generation)
                if generation != self._generation:
                    return
            if not records and self._consumer is not None:
                del self._held[place]
                self._consumer.resume(*place)

    def _poll_seconds(self) -> float:
        """Until the next held record is due, at most 0.2 s."""
        waits = [(due_ms(records[0]) - self._now_ms()) / 1000 for records in self._held.values() if records]
        return max(0.001, min([0.2, *waits]))

    async def _start(self, group: asyncio.TaskGroup, record: Record, generation: int) -> None:
        await self._slots.acquire()
        if generation != self._generation:
            # Its partition was taken while it waited: whoever has it now reads it again.
            self._slots.release()
            return
        mark = self._marks.setdefault((record.topic, record.partition), Watermark())
        mark.start(record.offset)
        metrics.IN_FLIGHT.inc()
        task = group.create_task(self._process(record, mark))
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        metrics.IN_FLIGHT.dec()

    async def _process(self, record: Record, mark: Watermark) -> None:
        began = time.perf_counter()
        trace = record.headers.get("traceparent", b"").decode("ascii", "replace")
        bind_contextvars(order_id=record.key, trace_id=trace.split("-")[1] if trace.count("-") == 3 else "")
        ending = await self._ending(record)
        if ending.end is End.RETRY:
            await self._escalate.retry(record, ending.reason)
        elif ending.end is End.STUCK:
            await self._escalate.bury(record, ending.reason)
        mark.done(record.offset)
        self.ended += 1
        metrics.SETTLEMENTS.labels(ending.end.value).inc()
        metrics.SETTLE_SECONDS.observe(time.perf_counter() - began)

    async def _ending(self, record: Record) -> Ending:
        last_try = is_last_try(record.topic)
        try:
            return await self._settle(decode_order(record.value, carried(record.headers)), last_try=last_try)
        except Undecodable as error:
            return Ending(End.STUCK, error.message)
        except Exception as error:
            # A defect met by one order must not stop the others: it climbs the ladder and ends in the DLQ.
            log.exception("settlement failed")
            return Ending(End.STUCK if last_try else End.RETRY, repr(error))

    async def _abandon(self) -> None:
        """Lets what is under way finish within the grace, cancels the rest (a replay takes it up), and commits."""
        self._generation += 1
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
                log.info("settlements abandoned", orders=len(late))
        await self._commit()
        self._marks.clear()
        self._held.clear()

    async def _commit_often(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY)
            await self._commit()

    async def _commit(self) -> None:
        if self._consumer is None:
            return
        mine = self._consumer.assignment()
        offsets = {place: offset for place, mark in self._marks.items() if (offset := mark.uncommitted()) is not None}
        offsets = {place: offset for place, offset in offsets.items() if place in mine}
        marks = {place: self._marks[place] for place in offsets}
        try:
            if offsets and await self._consumer.commit(offsets):
                for place, offset in offsets.items():
                    marks[place].committed(offset)
        except KafkaError as error:
            # The next commit, at most 0.2 s away, covers this one.
            log.warning("commit failed", error=repr(error))
