"""Cancel and watch through Envoy, against the whole mesh: never charged and cancelled, and every move told."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from meshkit.errors import DependencyUnavailable, IllegalState, InvalidFields, OrderNotFound
from meshkit.rpc.client import call, typed_error
from peakmesh.order.v1 import order_pb2, order_service_pb2
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from tests.e2e.holds import assert_audit_holds
from tests.e2e.shop import Shop, State
from tests.e2e.stubborn import persist
from tests.polling import eventually
from tests.seeds import new_seed
from tools.devstack import Mesh, restart_process, start_process, stop_process
from tools.providers.knobs import AllKnobs, Knobs, write_knobs
from tools.providers.settings import Settings as SandboxSettings

RACES = 40
# The first state from which an order's buyer gives it up.
FROM = (State.ORDER_STATE_PENDING, State.ORDER_STATE_CREATED, State.ORDER_STATE_PAYING, State.ORDER_STATE_PAID)
LIFE = ["PENDING", "QUEUED", "CREATED", "PAYING", "PAID", "TO_SHIP"]


NORMAL = Knobs()


def turn(shop: Shop, wallet: Knobs = NORMAL, shipping: Knobs = NORMAL) -> None:
    path = SandboxSettings(run_dir=shop.settings.run_dir, port_base=shop.settings.port_base).knobs
    write_knobs(path, AllKnobs(wallet=wallet, shipping=shipping))


async def cancel(shop: Shop, user: str, order_id: str, **fields: Any) -> order_pb2.Order:
    stub: Any = order_rpc.OrderServiceStub(shop.gateway)
    values = {"order_id": order_id, "request_id": str(uuid4()), "reason": "changed my mind"} | fields
    request = order_service_pb2.CancelOrderRequest(**values)
    answer = await call(stub.CancelOrder, request, timeout=5, dependency="orders", metadata=shop.metadata(user))
    found: order_pb2.Order = answer.order
    return found


async def give_up(shop: Shop, user: str, order_id: str) -> order_pb2.Order:
    """Asks until it is answered, as the errors' table says."""
    found: list[order_pb2.Order] = []

    async def answered() -> bool:
        try:
            found[:] = [await cancel(shop, user, order_id)]
        except IllegalState as error:
            # Without a time to ask again it would be asked in vain.
            if error.retry_after is None:
                raise
            return False
        return True

    await eventually(answered, within=30, every=0.1)
    return found[0]


async def watch(shop: Shop, user: str, order_id: str) -> list[tuple[str, float]]:
    """(state, seconds since the order's own stamp of that move) to the end of the stream."""
    stub: Any = order_rpc.OrderServiceStub(shop.gateway)
    told: list[tuple[str, float]] = []
    request = order_service_pb2.WatchOrderRequest(order_id=order_id)
    try:
        async for answer in stub.WatchOrder(request, metadata=shop.metadata(user), timeout=60):
            late = time.time() - answer.order.update_time.ToMilliseconds() / 1000
            told.append((order_pb2.OrderState.Name(answer.order.state).removeprefix("ORDER_STATE_"), late))
    except grpc.aio.AioRpcError as error:
        raise typed_error(error, "orders") from None
    return told


async def test_cancels_race_the_charge_and_the_audit_holds(shop: Shop, tmp_path: Path) -> None:
    dice = random.Random(new_seed())
    turn(shop, wallet=Knobs(latency_ms=100), shipping=Knobs(latency_ms=50))
    sale = await shop.open_sale(units=RACES)

    async def buy_and_give_up(user: str) -> tuple[str, str]:
        order_id, _ = await persist(shop, user, sale)
        await shop.reaches(user, order_id, *range(dice.choice(FROM), State.ORDER_STATE_PAYMENT_FAILED))
        await give_up(shop, user, order_id)
        end = await shop.reaches(user, order_id, State.ORDER_STATE_CANCELLED, State.ORDER_STATE_REFUNDED)
        assert end.state_reason == "changed my mind"
        again = await cancel(shop, user, order_id)
        assert again.state == end.state
        return order_id, order_pb2.OrderState.Name(end.state)

    try:
        ended = await asyncio.gather(*[buy_and_give_up(f"fickle-{n}") for n in range(RACES)])
    finally:
        turn(shop)
    print(Counter(state for _, state in ended))

    async def all_back() -> bool:
        return (await shop.offer(sale)).redis.available == RACES

    await eventually(all_back)
    await assert_audit_holds(shop, sale, [order_id for order_id, _ in ended], tmp_path)


async def test_a_parcel_that_was_collected_stays_sold(shop: Shop, tmp_path: Path) -> None:
    sale = await shop.open_sale(units=1)
    order_id, _ = await persist(shop, "late", sale)
    await shop.reaches("late", order_id, State.ORDER_STATE_TO_SHIP)
    turn(shop, shipping=Knobs(collected=1))
    try:
        assert (await cancel(shop, "late", order_id)).cancelling
        assert [state for state, _ in await watch(shop, "late", order_id)][-1] == "TO_SHIP"
        with pytest.raises(IllegalState) as raised:
            await cancel(shop, "late", order_id)
        assert raised.value.retry_after is None
        assert "collected" in raised.value.message
    finally:
        turn(shop)
    await assert_audit_holds(shop, sale, [order_id], tmp_path)


async def test_watchers_are_told_each_move_within_a_second(shop: Shop) -> None:
    """Slower than the gateway's 2 s for other calls: a stream has no time-out."""
    turn(shop, wallet=Knobs(latency_ms=800), shipping=Knobs(latency_ms=700))
    sale = await shop.open_sale(units=10)
    try:
        placed = {f"keen-{n}": (await shop.place(f"keen-{n}", sale)).order_id for n in range(10)}
        began = time.monotonic()
        told = await asyncio.gather(*[watch(shop, user, order_id) for user, order_id in placed.items()])
    finally:
        turn(shop)
    assert time.monotonic() - began > 2
    for moves in told:
        states = [state for state, _ in moves]
        assert states == LIFE[LIFE.index(states[0]) :]
        assert [late for state, late in moves if state in ("CREATED", "PAID", "TO_SHIP") and late > 1] == []


async def test_a_process_that_stops_sends_its_watchers_back(shop: Shop, mesh: Mesh) -> None:
    await asyncio.to_thread(stop_process, "payment_worker", mesh)
    try:
        sale = await shop.open_sale(units=1)
        order_id = (await shop.place("patient", sale)).order_id
        stream = asyncio.create_task(watch(shop, "patient", order_id))
        await shop.reaches("patient", order_id, State.ORDER_STATE_CREATED)
        # One of the two has the stream.
        for name in ("order_serve_0", "order_serve_1"):
            await asyncio.to_thread(restart_process, name, None, mesh)
        with pytest.raises(DependencyUnavailable) as raised:
            await stream
        assert raised.value.dependency == "order_worker"
    finally:
        await asyncio.to_thread(start_process, "payment_worker", mesh)
    assert [state for state, _ in await watch(shop, "patient", order_id)][-1] == "TO_SHIP"


async def test_refusals_name_what_is_wrong(shop: Shop) -> None:
    sale = await shop.open_sale(units=1)
    order_id = (await shop.place("owner", sale)).order_id
    with pytest.raises(OrderNotFound):
        await cancel(shop, "eve", order_id)
    with pytest.raises(OrderNotFound):
        await watch(shop, "eve", order_id)
    with pytest.raises(InvalidFields) as raised:
        await cancel(shop, "owner", "{}", request_id="x", reason="a\x00b")
    assert {field for field, _ in raised.value.violations} == {"order_id", "request_id", "reason"}
    with pytest.raises(InvalidFields) as raised:
        await watch(shop, "owner", "")
    assert [field for field, _ in raised.value.violations] == ["order_id"]
