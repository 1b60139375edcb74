"""`order_worker consume` as a process, killed, starved and fed poison."""

import asyncio
from collections.abc import Iterable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from kernel.topics import ORDER_WORKER, ORDERS_CREATED, ORDERS_INTAKE, PARTITIONS, PAYMENTS_RESULTS, dlq_topic
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderCreated, PaymentOutcome, PaymentResult
from tests.integration.order_worker.world import OVER, World, accepted, people
from tests.polling import eventually
from tools import devstack
from tools.audit.run import run_audit
from tools.devstack.spec import Mesh

WORKER = "order_worker"


async def settled(world: World, placed: Iterable[AcceptedOrder], state: str, within: float = 20) -> None:
    wanted = list(placed)

    async def reached() -> bool:
        return set(await world.states(wanted)) == {state}

    await eventually(reached, within=within, every=0.1)


async def told(world: World, placed: Iterable[AcceptedOrder], within: float = 20) -> None:
    wanted = {order.order_id for order in placed}

    async def reached() -> bool:
        return wanted <= set(await world.keys_of(ORDERS_CREATED))

    await eventually(reached, within=within, every=0.2)


async def backlog(world: World) -> int:
    client = AIOKafkaConsumer(bootstrap_servers=world.settings.kafka, group_id=ORDER_WORKER, enable_auto_commit=False)
    places = [TopicPartition(ORDERS_INTAKE, number) for number in range(PARTITIONS)]
    await client.start()
    try:
        client.assign(places)
        ends = await client.end_offsets(places)
        done = [await client.committed(place) or 0 for place in places]
        return int(sum(ends.values()) - sum(done))
    finally:
        await client.stop()


async def drained(world: World) -> None:
    async def reached() -> bool:
        return await backlog(world) == 0

    await eventually(reached, within=20, every=0.2)


async def test_orders_are_written_told_and_committed(worker: Mesh, world: World) -> None:
    of = await world.open_offer(units=300)
    placed = await world.reserve(of, people(300))
    await world.send(placed)
    await told(world, placed)
    assert await world.counters(of) == (300, 0)
    found = next(each for each in await world.read_all(ORDERS_CREATED) if each.key.decode() == placed[7].order_id)
    assert OrderCreated.FromString(found.value).order == placed[7]
    assert dict(found.headers)["event-type"] == b"OrderCreated"
    # Long over, and of no worth: an order that was accepted is written and told all the same.
    assert {name: dict(found.headers)[name] for name, _ in OVER} == dict(OVER)
    await drained(world)


async def test_results_come_back(worker: Mesh, world: World) -> None:
    of = await world.open_offer(units=3)
    placed = await world.reserve(of, people(3))
    await world.send(placed)
    await settled(world, placed, "CREATED")
    outcome = PaymentOutcome.PAYMENT_OUTCOME_SETTLED
    results = [PaymentResult(order_id=order.order_id, outcome=outcome, currency="EUR") for order in placed]
    await world.publisher.publish_all(PAYMENTS_RESULTS, [("x", b"\xff\xff", [])])
    await world.send_results(results)
    await settled(world, placed, "TO_SHIP")

    async def confirmed() -> bool:
        return await world.reservations(placed) == "SSS"

    await eventually(confirmed)
    assert await world.counters(of) == (0, 3)


@pytest.mark.parametrize("point", ["after_db_commit", "after_follow_ups"])
async def test_killed_after_its_commit_every_order_is_still_told(worker: Mesh, world: World, point: str) -> None:
    of = await world.open_offer(units=100)
    placed = await world.reserve(of, people(100))
    await asyncio.to_thread(devstack.restart_process, WORKER, {"PEAKMESH_CRASH_AT": point}, worker)
    before = restarts(worker)
    await world.send(placed)
    await told(world, placed, within=40)
    assert restarts(worker) > before
    assert await world.counters(of) == (100, 0)
    assert set(await world.states(placed)) == {"CREATED"}
    await drained(world)


async def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(worker: Mesh, world: World) -> None:
    of = await world.open_offer(units=100)
    unfit = await world.reserve(of, people(2), voucher_code="v" * 65)
    unknown = accepted(of, people(1)[0])
    placed = await world.reserve(of, people(50))
    for key, value in (("no-1", b"\xff\xfe not a message"), ("no-2", b"")):
        await world.publisher.publish_all(ORDERS_INTAKE, [(key, value, [])])
    unknown.user_id = "{braces}"
    await world.send([*placed[:25], *unfit, unknown, *placed[25:]])
    await told(world, placed)
    await settled(world, unfit, "FAILED_DLQ")

    async def released() -> bool:
        return await world.reservations(unfit) == "XX"

    await eventually(released)
    await drained(world)
    letters = {each.key.decode(): dict(each.headers) for each in await world.read_all(dlq_topic(ORDERS_INTAKE))}
    assert {"no-1", "no-2", unknown.order_id, *(order.order_id for order in unfit)} <= letters.keys()
    topic, partition, offset = letters["no-1"]["origin"].decode().split("/")
    assert (topic, partition.isdigit(), offset.isdigit()) == (ORDERS_INTAKE, True, True)
    assert letters["no-1"].keys() >= {"error", "attempt"}
    assert not {order.order_id for order in placed} & letters.keys()
    report = await run_audit(world.settings, of.sale_id)
    [drain] = [line.detail for line in report.lines if line.invariant == "I11"]
    assert f"{ORDERS_INTAKE}/" in drain.partition("records that are no order: ")[2], drain
    assert await world.counters(of) == (50, 0)


async def test_oversold_in_redis_closes_the_offer(worker: Mesh, world: World) -> None:
    of = await world.open_offer(units=5, in_redis=8)
    placed = await world.reserve(of, people(8))
    await world.send(placed)

    async def closed() -> bool:
        counters = await world.stock.counters(of.offer_no, 0)
        return counters is not None and counters.state == "CLOSED"

    await eventually(closed, within=20)
    await drained(world)
    assert sorted(filter(None, await world.states(placed))) == ["CREATED"] * 5 + ["REJECTED_OVERSOLD"] * 3
    assert sorted(await world.reservations(placed)) == ["R"] * 5 + ["X"] * 3


@pytest.mark.parametrize("server", ["mariadb", "redis"])
async def test_a_frozen_server_sends_nothing_to_the_dead_letters(worker: Mesh, world: World, server: str) -> None:
    of = await world.open_offer(units=60)
    placed = await world.reserve(of, people(50))
    gone = await world.reserve(of, people(10))
    letters = len(await world.read_all(dlq_topic(ORDERS_INTAKE)))
    before = restarts(worker)
    mark = len(worker.log_file(WORKER).read_text())
    devstack.pause_process(server, worker)
    try:
        await world.send(placed)
        await world.send(gone, cancelled=True)

        async def waiting() -> bool:
            return "waiting to try again" in log_since(worker, mark)

        await eventually(waiting, within=40, every=0.2)
    finally:
        devstack.resume_process(server, worker)
    await told(world, placed, within=40)
    await drained(world)
    assert len(await world.read_all(dlq_topic(ORDERS_INTAKE))) == letters
    assert await world.counters(of) == (50, 0)
    assert await world.reservations(gone) == "X" * 10
    assert restarts(worker) == before, "it waited and was not restarted"


def restarts(mesh: Mesh) -> int:
    return next(each.restarts for each in devstack.status(mesh.run_dir, mesh.port_base) if each.name == WORKER)


def log_since(mesh: Mesh, mark: int) -> str:
    return mesh.log_file(WORKER).read_text()[mark:]
