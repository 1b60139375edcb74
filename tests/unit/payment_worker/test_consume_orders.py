import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from kernel.topics import ORDERS_CREATED
from meshkit.kafka.consumer import Partition, Record
from payment_worker.consume_orders import ConsumeOrders
from payment_worker.escalate import LADDER
from payment_worker.order import Order
from payment_worker.settle_order import End, Ending
from peakmesh.event.v1 import events_pb2 as events
from tests.polling import eventually

NOW = 1_000_000


def record(offset: int, topic: str = ORDERS_CREATED, at_ms: int = NOW, value: bytes | None = None) -> Record:
    order = events.AcceptedOrder(order_id=f"o{offset}", user_id="u", quantity=1, unit_price_minor=5, currency="EUR")
    body = events.OrderCreated(order=order).SerializeToString() if value is None else value
    return Record(topic, 0, offset, f"o{offset}", body, {}, at_ms)


@dataclass
class FakeSubscription:
    waiting: list[Record]
    committed: dict[Partition, int] = field(default_factory=dict)
    paused: set[Partition] = field(default_factory=set)

    async def poll(self, timeout: float) -> list[Record]:
        await asyncio.sleep(0)
        taken = [each for each in self.waiting if (each.topic, each.partition) not in self.paused]
        self.waiting = [each for each in self.waiting if each not in taken]
        return taken

    async def commit(self, next_offsets: Mapping[Partition, int]) -> bool:
        self.committed |= next_offsets
        return True

    def assignment(self) -> set[Partition]:
        return {(topic, 0) for topic in LADDER}

    def pause(self, topic: str, partition: int) -> None:
        self.paused.add((topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        self.paused.discard((topic, partition))


@dataclass
class FakeLadder:
    retried: list[tuple[int, str]] = field(default_factory=list)
    buried: list[tuple[int, str]] = field(default_factory=list)
    broken: bool = False

    async def retry(self, record: Record, reason: str) -> None:
        self.retried.append((record.offset, reason))

    async def bury(self, record: Record, reason: str) -> None:
        if self.broken:
            raise MessageSizeTooLargeError
        self.buried.append((record.offset, reason))


class FakeSettle:
    """Settles at once, but the orders named in `gates` only when their gate opens."""

    def __init__(self, ending: Ending, *gated: str) -> None:
        self.ending, self.gates = ending, {order_id: asyncio.Event() for order_id in gated}
        self.seen: list[str] = []
        self.last_tries: list[bool] = []

    async def __call__(self, order: Order, *, last_try: bool) -> Ending:
        self.seen.append(order.order_id)
        self.last_tries.append(last_try)
        if order.order_id in self.gates:
            await self.gates[order.order_id].wait()
        return self.ending


@dataclass
class Bench:
    settle: FakeSettle
    subscription: FakeSubscription
    ladder: FakeLadder = field(default_factory=FakeLadder)
    now: int = NOW

    def __post_init__(self) -> None:
        self.orders = ConsumeOrders(self.settle, self.ladder, concurrency=4, grace=0.01, now_ms=lambda: self.now)

    async def __aenter__(self) -> "Bench":
        self.task = asyncio.create_task(self.orders.run(self.subscription))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


SETTLED = Ending(End.SETTLED)


async def test_a_slow_order_holds_the_commit_and_not_the_others() -> None:
    bench = Bench(FakeSettle(SETTLED, "o1"), FakeSubscription([record(offset) for offset in range(4)]))
    async with bench:
        await eventually(lambda: bench.orders.ended == 3)
        await eventually(lambda: bench.subscription.committed.get((ORDERS_CREATED, 0)) == 1)
        assert bench.settle.seen == ["o0", "o1", "o2", "o3"]
        bench.settle.gates["o1"].set()
        await eventually(lambda: bench.subscription.committed.get((ORDERS_CREATED, 0)) == 4)


async def test_what_is_under_way_at_the_stop_is_abandoned_and_read_again() -> None:
    bench = Bench(FakeSettle(SETTLED, "o1"), FakeSubscription([record(offset) for offset in range(3)]))
    async with bench:
        await eventually(lambda: bench.orders.ended == 2)
    assert bench.subscription.committed == {(ORDERS_CREATED, 0): 1}


async def test_after_a_rebalance_the_same_records_may_come_again() -> None:
    bench = Bench(FakeSettle(SETTLED, "o1"), FakeSubscription([record(0), record(1)]))
    async with bench:
        await eventually(lambda: bench.orders.ended == 1)
        await bench.orders.on_revoke([(ORDERS_CREATED, 0)])
        bench.settle.gates["o1"].set()
        bench.subscription.waiting = [record(1)]
        await eventually(lambda: bench.subscription.committed.get((ORDERS_CREATED, 0)) == 2)
    assert bench.settle.seen == ["o0", "o1", "o1"]


async def test_a_retry_topic_waits_for_its_delay_with_its_partition_paused() -> None:
    retry = LADDER[1]
    bench = Bench(FakeSettle(SETTLED), FakeSubscription([record(0, retry), record(1, retry), record(7)]))
    async with bench:
        await eventually(lambda: bench.settle.seen == ["o7"])
        assert bench.subscription.paused == {(retry, 0)}
        bench.now += 5_000
        await eventually(lambda: bench.subscription.committed.get((retry, 0)) == 2)
        assert bench.subscription.paused == set()
    assert bench.settle.seen == ["o7", "o0", "o1"]


async def test_only_the_last_rung_is_the_last_try() -> None:
    due = [record(0, topic, at_ms=0) for topic in LADDER]
    bench = Bench(FakeSettle(Ending(End.RETRY, "later")), FakeSubscription(due))
    bench.settle.ending = SETTLED
    async with bench:
        await eventually(lambda: bench.orders.ended == len(LADDER))
    assert bench.settle.last_tries == [False, False, False, True]


@pytest.mark.parametrize(("end", "where"), [(End.RETRY, "retried"), (End.STUCK, "buried")])
async def test_an_order_without_an_end_moves_on_before_its_offset_is_committed(end: End, where: str) -> None:
    bench = Bench(FakeSettle(Ending(end, "why")), FakeSubscription([record(0)]))
    async with bench:
        await eventually(lambda: bench.subscription.committed.get((ORDERS_CREATED, 0)) == 1)
    assert getattr(bench.ladder, where) == [(0, "why")]


async def test_undecodable_bytes_are_buried() -> None:
    bench = Bench(FakeSettle(SETTLED), FakeSubscription([record(0, value=b"\xff"), record(1)]))
    async with bench:
        await eventually(lambda: bench.orders.ended == 2)
    assert [offset for offset, _ in bench.ladder.buried] == [0]
    assert bench.settle.seen == ["o1"]


async def test_a_dlq_that_refuses_ends_the_worker_before_the_commit() -> None:
    bench = Bench(FakeSettle(SETTLED), FakeSubscription([record(0, value=b"\xff")]), FakeLadder(broken=True))
    with pytest.raises(ExceptionGroup) as failed:
        await bench.orders.run(bench.subscription)
    assert failed.group_contains(MessageSizeTooLargeError)
    assert bench.subscription.committed.get((ORDERS_CREATED, 0), 0) == 0
