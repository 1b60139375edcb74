"""Orders that need a person: listed for the right reason, resolved once, journalled; over the wire."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from kernel.offers import Offer
from kernel.schema import ops_request, payment_step
from kernel.topics import ORDERS_CREATED
from meshkit.clock import wall_ms
from meshkit.errors import IllegalState, InvalidFields, OrderNotFound, RequestIdReused, RoleRequired
from meshkit.identity import Role, TokenIssuer
from meshkit.rpc.client import call, channel
from order_worker.serve_app import running
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderCreated
from peakmesh.order.v1 import order_ops_service_pb2 as pb
from peakmesh.order.v1 import order_ops_service_pb2_grpc as rpc
from tests.integration.order_worker.world import World, people, serving_settings
from tools.devstack.spec import Mesh

HOUR = 3_600_000


@dataclass
class Desk:
    stub: Any
    issuer: TokenIssuer

    async def _ask(self, method: str, request: Any, role: Role = Role.OPERATOR) -> Any:
        metadata = (("authorization", f"Bearer {self.issuer.issue('olga', role)}"),)
        asked = getattr(self.stub, method)
        return await call(asked, request, timeout=10, dependency="order_worker", metadata=metadata)

    async def stuck(self, size: int = 200) -> dict[str, pb.StuckOrder]:
        found: dict[str, pb.StuckOrder] = {}
        token = ""
        while not found or token:
            page = await self._ask("ListStuckOrders", pb.ListStuckOrdersRequest(page_size=size, page_token=token))
            assert len(page.orders) <= size
            assert not found.keys() & {each.order_id for each in page.orders}
            found |= {each.order_id: each for each in page.orders}
            token = page.next_page_token
            if not token:
                break
        return found

    async def resolve(self, order_id: str, request_id: str = "", role: Role = Role.OPERATOR) -> pb.ResolveOrderResponse:
        request = pb.ResolveOrderRequest(
            request_id=request_id or str(uuid4()), order_id=order_id, reason="ticket 7: mended"
        )
        answer: pb.ResolveOrderResponse = await self._ask("ResolveOrder", request, role)
        return answer


@pytest.fixture
async def desk(own_mesh: Mesh) -> AsyncIterator[Desk]:
    settings = serving_settings(own_mesh)
    async with running(settings) as port, channel(f"127.0.0.1:{port}") as opened:
        yield Desk(rpc.OrderOpsServiceStub(opened), TokenIssuer(settings.identity_dir))


async def written(world: World, count: int) -> tuple[Offer, list[AcceptedOrder]]:
    of = await world.open_offer(units=50)
    placed = await world.reserve(of, people(count))
    await world.write(placed)
    return of, placed


async def set_step(world: World, order_id: str, step: str, state: str, reason: str = "") -> None:
    await world.start_step(order_id, step)
    mine = (payment_step.c.order_id == order_id, payment_step.c.step == step)
    async with world.engine.begin() as connection:
        await connection.execute(update(payment_step).where(*mine).values(state=state, reason=reason))


async def set_state(world: World, orders_: Sequence[AcceptedOrder], state: str, **columns: int) -> None:
    await world.age(orders_, **columns, state=state)  # type: ignore[arg-type]


async def sent_again(world: World, order_id: str) -> list[OrderCreated]:
    records = await world.read_all(ORDERS_CREATED)
    return [OrderCreated.FromString(record.value) for record in records if record.key.decode() == order_id]


async def test_each_is_listed_for_its_own_reason(world: World, desk: Desk) -> None:
    _, placed = await written(world, 9)
    step, debit, refund, overdue, unsettled, failed, fine, late, young = placed
    now = wall_ms()
    await set_state(world, [step], "PAID")
    await set_step(world, step.order_id, "coins", "STUCK", "the provider said no")
    await set_step(world, step.order_id, "booking", "STUCK", "no such quote")
    await set_step(world, debit.order_id, "debit", "STUCK", "no answer")
    await set_state(world, [refund], "CANCELLED")
    await set_step(world, refund.order_id, "refund", "STUCK", "unknown account")
    await world.age([overdue], deadline_ms=now - HOUR)
    await set_step(world, overdue.order_id, "debit", "STARTED")
    await set_state(world, [unsettled], "PAID", updated_ms=now - HOUR)
    await set_state(world, [failed], "FAILED_DLQ")
    await set_state(world, [young], "PAID")
    await world.age([late], deadline_ms=now - HOUR)  # no debit was begun: it expires by itself
    found = await desk.stuck(size=2)
    kinds = {each.order_id: pb.StuckKind.Name(found[each.order_id].kind) for each in placed if each.order_id in found}
    assert kinds == {
        step.order_id: "STUCK_KIND_STEP",
        debit.order_id: "STUCK_KIND_DEBIT",
        refund.order_id: "STUCK_KIND_REFUND",
        overdue.order_id: "STUCK_KIND_OVERDUE",
        unsettled.order_id: "STUCK_KIND_UNSETTLED",
        failed.order_id: "STUCK_KIND_FAILED",
    }
    assert list(found) == sorted(found)
    assert fine.order_id not in found
    told = found[step.order_id]
    assert (list(told.steps), told.state) == (["booking", "coins"], "PAID")
    assert told.reason == "booking: no such quote; coins: the provider said no"
    assert told.advice


async def test_what_was_to_be_given_sticks_no_more_once_the_order_was_given_back(world: World, desk: Desk) -> None:
    _, placed = await written(world, 3)
    refunded, owed, cancelled = placed
    for order, state in ((refunded, "REFUNDED"), (owed, "REFUNDED"), (cancelled, "CANCELLED")):
        await set_state(world, [order], state)
        for step in ("booking", "invoice", "coins"):
            await set_step(world, order.order_id, step, "STUCK", "refused")
    await set_step(world, owed.order_id, "credit", "STUCK", "no such invoice")
    listed = await desk.stuck()
    assert [each.order_id in listed for each in placed] == [False, True, False]
    found = listed[owed.order_id]
    assert (pb.StuckKind.Name(found.kind), list(found.steps)) == ("STUCK_KIND_REFUND", ["credit"])
    with pytest.raises(IllegalState):
        await desk.resolve(refunded.order_id)


async def test_resolving_tells_payment_again_and_leaves_its_name_in_the_journal(world: World, desk: Desk) -> None:
    _, [order] = await written(world, 1)
    await set_state(world, [order], "PAID")
    await set_step(world, order.order_id, "coins", "STUCK")
    request_id = str(uuid4())
    first = await desk.resolve(order.order_id, request_id)
    assert (first.resolution, first.state) == (pb.RESOLUTION_SENT_AGAIN, "PAID")
    [told] = await sent_again(world, order.order_id)
    assert (told.order.order_id, told.order.user_id) == (order.order_id, order.user_id)
    assert told.order.shipping_address == order.shipping_address
    # The steps are payment_worker's: nothing of them was touched.
    assert await world.step(order.order_id, "coins") == "STUCK"
    async with world.engine.connect() as connection:
        query = select(ops_request).where(ops_request.c.request_id == request_id)
        [journal] = (await connection.execute(query)).all()
    assert (journal.method, journal.who) == ("ResolveOrder", "olga")
    assert pb.ResolveOrderResponse.FromString(journal.response) == first
    # A repeat answers the same, and sends again: the first may have died before Kafka's ack.
    assert await desk.resolve(order.order_id, request_id) == first
    assert len(await sent_again(world, order.order_id)) == 2
    await set_state(world, [order], "TO_SHIP")
    assert await desk.resolve(order.order_id, request_id) == first
    assert len(await sent_again(world, order.order_id)) == 2


async def test_a_refund_that_sticks_is_started_again(world: World, desk: Desk) -> None:
    _, [order] = await written(world, 1)
    await set_state(world, [order], "CANCELLED")
    await set_step(world, order.order_id, "refund", "STUCK")
    assert (await desk.resolve(order.order_id)).resolution == pb.RESOLUTION_REFUND_AGAIN
    assert await world.step(order.order_id, "refund") == "STARTED"
    assert await sent_again(world, order.order_id) == []
    with pytest.raises(IllegalState):
        await desk.resolve(order.order_id)


async def test_what_failed_for_good_is_acknowledged_and_leaves_the_list(world: World, desk: Desk) -> None:
    _, placed = await written(world, 2)
    await set_state(world, placed, "FAILED_DLQ")
    seen, unseen = (order.order_id for order in placed)
    assert (await desk.resolve(seen)).resolution == pb.RESOLUTION_ACKNOWLEDGED
    listed = await desk.stuck()
    assert (seen in listed, unseen in listed) == (False, True)
    assert await sent_again(world, seen) == []


async def test_what_needs_nobody_is_refused_and_not_journalled(world: World, desk: Desk) -> None:
    _, [order] = await written(world, 1)
    await set_state(world, [order], "TO_SHIP")
    request_id = str(uuid4())
    with pytest.raises(IllegalState) as raised:
        await desk.resolve(order.order_id, request_id)
    assert raised.value.metadata == {"state": "TO_SHIP"}
    with pytest.raises(OrderNotFound):
        await desk.resolve(str(uuid4()), request_id)
    await set_state(world, [order], "PAID")
    assert (await desk.resolve(order.order_id, request_id)).state == "PAID"
    with pytest.raises(RequestIdReused):
        await desk.resolve(str(uuid4()), request_id)


async def test_only_operators_may_and_bad_fields_are_named(desk: Desk) -> None:
    for role in (Role.BUYER, Role.SELLER, Role.SERVICE):
        with pytest.raises(RoleRequired):
            await desk.resolve(str(uuid4()), role=role)
    with pytest.raises(InvalidFields) as raised:
        await desk._ask("ResolveOrder", pb.ResolveOrderRequest(order_id="x", reason=" "))
    assert [field for field, _ in raised.value.violations] == ["request_id", "order_id", "reason"]
    for request, field in (
        (pb.ListStuckOrdersRequest(page_size=-1), "page_size"),
        (pb.ListStuckOrdersRequest(page_token="!"), "page_token"),
    ):
        with pytest.raises(InvalidFields) as raised:
            await desk._ask("ListStuckOrders", request)
        assert [name for name, _ in raised.value.violations] == [field]
