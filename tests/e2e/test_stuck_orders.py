"""An order that a provider leaves stuck, and the operator who resolves it: one debit, and the parcel."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import select

from kernel.schema import ops_request, orders, payment_step
from kernel.topics import ORDERS_CREATED, RETRY_DELAYS, retry_topic
from meshkit.db.engine import database
from meshkit.errors import DependencyUnavailable, OrderNotFound, PeakmeshError
from meshkit.identity import Role
from meshkit.rpc.client import call
from peakmesh.order.v1 import order_ops_service_pb2 as pb
from peakmesh.order.v1 import order_ops_service_pb2_grpc as rpc
from tests.e2e.shop import Shop, State
from tests.e2e.terminal import peakmesh, peakmesh_json
from tests.polling import eventually
from tools.audit.read_records import places_of, read_to_end, reader
from tools.audit.trace import trace_order
from tools.devstack import Mesh
from tools.providers.knobs import AllKnobs, Knobs, write_knobs
from tools.providers.settings import Settings as SandboxSettings

LAST_RUNG = "10m"


@pytest.fixture
def knobs(mesh: Mesh) -> Iterator[Any]:
    path = SandboxSettings(run_dir=mesh.run_dir, port_base=mesh.port_base).knobs
    yield lambda turned: write_knobs(path, turned)
    write_knobs(path, AllKnobs())


async def operate(shop: Shop, method: str, request: Any, door: Any = None) -> Any:
    stub: Any = rpc.OrderOpsServiceStub(door or shop.operators)
    metadata = shop.metadata("olga", Role.OPERATOR)
    return await call(getattr(stub, method), request, timeout=10, dependency="orders", metadata=metadata)


async def records_of(shop: Shop, topic: str, order_id: str) -> list[Any]:
    async with reader(shop.settings.kafka) as consumer:
        starts = await consumer.beginning_offsets(places_of([topic]))
        return [raw async for raw in read_to_end(consumer, starts) if raw.key == order_id.encode()]


async def free_partition(shop: Shop, topic: str, delay: int) -> int:
    """One without a record that still waits for its time: whatever is put behind such a record waits with it."""
    async with reader(shop.settings.kafka) as consumer:
        starts = await consumer.beginning_offsets(places_of([topic]))
        due_after = (time.time() - delay) * 1000
        waiting = {raw.partition async for raw in read_to_end(consumer, starts) if raw.timestamp > due_after}
    free: set[int] = {place.partition for place in starts} - waiting
    assert free, f"each partition of {topic} has a record that waits"
    return min(free)


async def try_for_the_last_time(shop: Shop, order_id: str) -> None:
    """Puts the order's record on the last rung, dated back, so that the test need not wait 11 minutes for it."""
    [told, *_] = await records_of(shop, ORDERS_CREATED, order_id)
    producer = AIOKafkaProducer(bootstrap_servers=shop.settings.kafka)
    await producer.start()
    try:
        delay, topic = RETRY_DELAYS[LAST_RUNG], retry_topic(ORDERS_CREATED, LAST_RUNG)
        written_ms = int(time.time() - delay - 1) * 1000
        partition = await free_partition(shop, topic, delay)
        await producer.send_and_wait(topic, told.value, told.key, partition=partition, timestamp_ms=written_ms)
    finally:
        await producer.stop()


async def listed(shop: Shop, order_id: str) -> pb.StuckOrder | None:
    """From whichever page it is on: other tests leave some hundreds of orders behind, and these are listed first."""
    token = ""
    while True:
        page = await operate(shop, "ListStuckOrders", pb.ListStuckOrdersRequest(page_size=200, page_token=token))
        found: list[pb.StuckOrder] = [each for each in page.orders if each.order_id == order_id]
        token = page.next_page_token
        if found or not token:
            return found[0] if found else None


async def test_a_step_that_sticks_is_resolved_to_a_parcel_with_one_debit(shop: Shop, knobs: Any) -> None:
    sale = await shop.open_sale(units=1)
    knobs(AllKnobs(loyalty=Knobs(error=1.0)))
    order_id = (await shop.place("ana", sale)).order_id
    await shop.reaches("ana", order_id, State.ORDER_STATE_PAID)
    await try_for_the_last_time(shop, order_id)

    async def sticks() -> bool:
        return await listed(shop, order_id) is not None

    await eventually(sticks, within=40, every=0.2)
    found = await listed(shop, order_id)
    assert found is not None
    assert (found.kind, list(found.steps), found.state) == (pb.STUCK_KIND_STEP, ["coins"], "PAID")

    # Its own record climbs too: only once it waits for a minute is whatever happens next the operator's doing.
    async def waits_a_minute() -> bool:
        return bool(await records_of(shop, retry_topic(ORDERS_CREATED, "1m"), order_id))

    await eventually(waits_a_minute, within=40, every=0.5)
    knobs(AllKnobs())
    stuck = await peakmesh_json("order", "stuck", status=1)
    assert [each["kind"] for each in stuck["orders"] if each["order_id"] == order_id] == ["STUCK_KIND_STEP"]
    request_id = str(uuid4())
    words = ("--reason", "loyalty is back", "--request-id", request_id)
    done = await peakmesh_json("order", "resolve", order_id, *words)
    assert (done["resolution"], done["state"]) == ("RESOLUTION_SENT_AGAIN", "PAID")
    await shop.reaches("ana", order_id, State.ORDER_STATE_TO_SHIP, within=20)
    assert await listed(shop, order_id) is None

    traced = await peakmesh_json("order", "trace", order_id)
    told = [(event["source"], event["what"]) for event in traced["events"]]
    assert told.count(("provider", "money moved: debit")) == 1
    assert told.count(("provider", "coins granted")) == 1
    assert ("operator", "resolved: sent again") in told
    assert {("payment_step", "coins begun"), ("payment_step", "coins DONE"), ("orders", "row TO_SHIP")} <= set(told)
    assert sum(source == ORDERS_CREATED for source, _ in told) == 2
    assert any(source == f"{ORDERS_CREATED}.dlq" for source, _ in told)
    async with database(shop.settings.database) as engine, engine.connect() as connection:
        journal = await connection.execute(select(ops_request).where(ops_request.c.request_id == request_id))
        assert [(row.method, row.who) for row in journal] == [("ResolveOrder", "operator-cli")]
        steps = await connection.execute(select(payment_step.c.state).where(payment_step.c.order_id == order_id))
        assert {row.state for row in steps} == {"DONE"}
        state = await connection.scalar(select(orders.c.state).where(orders.c.order_id == order_id))
        assert state == "TO_SHIP"


async def test_the_public_door_leads_to_no_operators_call(shop: Shop) -> None:
    with pytest.raises(DependencyUnavailable) as raised:
        await operate(shop, "ListStuckOrders", pb.ListStuckOrdersRequest(), shop.gateway)
    assert "UNIMPLEMENTED" in raised.value.message


async def test_an_order_that_nobody_knows_has_no_trace(shop: Shop) -> None:
    with pytest.raises(PeakmeshError):
        await trace_order(shop.settings, str(uuid4()))
    request = pb.ResolveOrderRequest(request_id=str(uuid4()), order_id=str(uuid4()), reason="x")
    with pytest.raises(OrderNotFound):
        await operate(shop, "ResolveOrder", request)


async def test_the_command_line_tells_of_an_unknown_order_in_one_line(mesh: Mesh) -> None:
    for words, said in (
        (("trace", "01900000-0000-8000-8000-000000000000"), "no system knows of"),
        (("trace", "no-order"), "order_id"),
        (("resolve", "01900000-0000-8000-8000-000000000000", "--reason", "x"), "ORDER_NOT_FOUND"),
        (("resolve", "no-order", "--reason", "x"), "order_id"),
    ):
        told = await peakmesh("order", *words)
        assert (told.exit_code, said in told.output, len(told.output.splitlines())) == (1, True, 1), told.output
