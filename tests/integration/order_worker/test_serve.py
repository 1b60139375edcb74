"""OrderService over the wire, from the composition root that production uses."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from kernel.order_states import OrderState
from kernel.schema import orders
from meshkit.clock import wall_ms
from meshkit.errors import DependencyUnavailable, InvalidFields, OrderNotFound, Unauthenticated
from meshkit.identity import Role, TokenIssuer
from meshkit.rpc.client import call, channel
from order_worker.serve_app import running
from order_worker.write_results import write_results
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult
from peakmesh.order.v1 import order_pb2 as pb
from peakmesh.order.v1 import order_service_pb2 as api
from peakmesh.order.v1 import order_service_pb2_grpc as rpc
from tests.integration.order_worker.world import World, accepted, people, serving_settings
from tools import devstack
from tools.devstack.spec import Mesh


class Client:
    def __init__(self, stub: Any, issuer: TokenIssuer) -> None:
        self._stub, self._issuer = stub, issuer

    async def get(self, order_id: str, user: str, role: Role = Role.BUYER) -> pb.Order:
        response = await self._call(self._stub.GetOrder, api.GetOrderRequest(order_id=order_id), user, role)
        assert isinstance(response, api.GetOrderResponse)
        return response.order

    async def page(self, user: str, size: int, token: str = "") -> api.ListOrdersResponse:
        request = api.ListOrdersRequest(page_size=size, page_token=token)
        response = await self._call(self._stub.ListOrders, request, user, Role.BUYER)
        assert isinstance(response, api.ListOrdersResponse)
        return response

    async def _call(self, method: Any, request: Any, user: str, role: Role) -> Any:
        token = self._issuer.issue(user, role) if user else ""
        metadata = (("authorization", f"Bearer {token}"),) if user else ()
        return await call(method, request, timeout=5, dependency="order_worker", metadata=metadata)


@pytest.fixture
async def client(own_mesh: Mesh) -> AsyncIterator[Client]:
    settings = serving_settings(own_mesh)
    async with running(settings) as port, channel(f"127.0.0.1:{port}") as opened:
        stub: Any = rpc.OrderServiceStub(opened)
        yield Client(stub, TokenIssuer(settings.identity_dir))


async def test_an_order_from_queued_to_to_ship(world: World, client: Client) -> None:
    of = await world.open_offer(units=5)
    [order] = placed = await world.reserve(of, people(1), quantity=2)
    queued = await client.get(order.order_id, order.user_id)
    assert (queued.state, queued.quantity) == (pb.ORDER_STATE_QUEUED, 2)
    await world.write(placed)
    created = await client.get(order.order_id, order.user_id)
    assert created.state == pb.ORDER_STATE_CREATED
    assert not created.HasField("total")
    await world.start_step(order.order_id)
    assert (await client.get(order.order_id, order.user_id)).state == pb.ORDER_STATE_PAYING
    outcome = PaymentOutcome.PAYMENT_OUTCOME_SETTLED
    await write_results(
        world.engine, [PaymentResult(order_id=order.order_id, outcome=outcome, shipping_minor=490)], wall_ms()
    )
    done = await client.get(order.order_id, order.user_id)
    assert done.state == pb.ORDER_STATE_TO_SHIP
    assert (done.total.units, done.total.nanos, done.total.currency_code) == (44, 880_000_000, "EUR")


@pytest.mark.parametrize("state", sorted(OrderState))
async def test_every_state_of_a_row_has_one_on_the_wire(world: World, client: Client, state: OrderState) -> None:
    of = await world.open_offer(units=5)
    order = accepted(of, people(1)[0])
    await world.write([order], cancelled=True)
    async with world.engine.begin() as connection:
        await connection.execute(update(orders).where(orders.c.order_id == order.order_id).values(state=state.value))
    found = await client.get(order.order_id, order.user_id)
    assert pb.OrderState.Name(found.state) == f"ORDER_STATE_{state}"


async def test_refusals_name_what_is_wrong(world: World, client: Client) -> None:
    of = await world.open_offer(units=5)
    [order] = placed = await world.reserve(of, people(1))
    for written in (False, True):
        if written:
            await world.write(placed)
        with pytest.raises(OrderNotFound):
            await client.get(order.order_id, "somebody-else")
        assert (await client.get(order.order_id, "shop", Role.SERVICE)).order_id == order.order_id
    with pytest.raises(OrderNotFound):
        await client.get("00000000-0000-4000-8000-000000000001", "ana")
    with pytest.raises(InvalidFields) as raised:
        await client.get("{braces}", "ana")
    assert raised.value.violations[0][0] == "order_id"
    with pytest.raises(InvalidFields) as raised:
        await client.page("ana", 10, "bad token")
    assert raised.value.violations[0][0] == "page_token"
    with pytest.raises(Unauthenticated):
        await client.get(order.order_id, "")


async def test_pages_newest_first_of_ones_own(world: World, client: Client) -> None:
    of = await world.open_offer(units=20)
    user, other = people(2)
    mine = [accepted(of, user) for _ in range(5)]
    await world.write([*mine, accepted(of, other)])
    seen, token = [], ""
    while True:
        page = await client.page(user, 2, token)
        seen += [order.order_id for order in page.orders]
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted((order.order_id for order in mine), reverse=True)


async def test_a_frozen_database_is_named_within_its_budget(world: World, client: Client, own_mesh: Mesh) -> None:
    of = await world.open_offer(units=5)
    order = accepted(of, people(1)[0])
    devstack.pause_process("mariadb", own_mesh)
    try:
        with pytest.raises(DependencyUnavailable) as raised:
            await client.get(order.order_id, order.user_id)
        assert raised.value.dependency == "database"
    finally:
        devstack.resume_process("mariadb", own_mesh)
    with pytest.raises(OrderNotFound):
        await client.get(order.order_id, order.user_id)
