"""The purchase history's filters, on the database: against the same filter in Python, by an index, page by page."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import insert, text
from sqlalchemy.dialects import mysql

from kernel.order_states import OrderState
from kernel.schema import orders
from meshkit.errors import InvalidFields
from meshkit.identity import Role, TokenIssuer
from meshkit.rpc.client import call, channel
from order_worker.order_filter import OrderFilter, make_token
from order_worker.order_history import page_ids
from order_worker.serve_app import running
from peakmesh.order.v1 import order_pb2 as pb
from peakmesh.order.v1 import order_service_pb2 as api
from peakmesh.order.v1 import order_service_pb2_grpc as rpc
from tests.integration.order_worker.sold_orders import sold_rows
from tests.integration.order_worker.world import World, people, serving_settings
from tools.devstack.spec import Mesh

SEED = 5
START_MS = 1_700_000_000_000
ROWS = 60


class History:
    def __init__(self, stub: Any, issuer: TokenIssuer) -> None:
        self._stub, self._issuer = stub, issuer

    async def page(self, user: str, **fields: Any) -> api.ListOrdersResponse:
        metadata = (("authorization", f"Bearer {self._issuer.issue(user, Role.BUYER)}"),)
        request = api.ListOrdersRequest(**fields)
        answer: api.ListOrdersResponse = await call(
            self._stub.ListOrders, request, timeout=5, dependency="order_worker", metadata=metadata
        )
        return answer

    async def all(self, user: str, **fields: Any) -> list[pb.Order]:
        """Seven a page."""
        found, token = [], ""
        while True:
            page = await self.page(user, page_size=7, page_token=token, **fields)
            found += list(page.orders)
            token = page.next_page_token
            if not token:
                return found


@pytest.fixture
async def history(own_mesh: Mesh) -> AsyncIterator[History]:
    settings = serving_settings(own_mesh)
    async with running(settings) as port, channel(f"127.0.0.1:{port}") as opened:
        stub: Any = rpc.OrderServiceStub(opened)
        yield History(stub, TokenIssuer(settings.identity_dir))


async def some_orders(world: World) -> tuple[str, list[dict[str, Any]]]:
    """(user, rows): orders of one user in every state, one a minute; two that are CREATED are being charged."""
    random_ = random.Random(SEED)
    print("seed", SEED)
    [user] = people(1)
    rows = sold_rows(random_, ROWS, ["sku"], START_MS, 60_000, user=user)
    for row, state in zip(rows, OrderState, strict=False):
        row["state"] = state.value
    created = [row for row in rows if row["state"] == OrderState.CREATED]
    async with world.engine.begin() as connection:
        await connection.execute(insert(orders), rows)
    await world.start_steps([row["order_id"] for row in created[:2]])
    for row in created[:2]:
        row["state"] = "PAYING"
    return user, rows


@pytest.mark.parametrize(
    "states",
    [["CREATED"], ["PAYING"], ["CREATED", "PAYING"], ["PAYING", "TO_SHIP"], ["CREATED", "REFUNDED"], ["PAID"]],
    ids="+".join,
)
@pytest.mark.parametrize(("begin", "end"), [(None, None), (10, None), (None, 40), (10, 40)])
async def test_a_filter_finds_what_it_says_newest_first(
    world: World, history: History, states: list[str], begin: int | None, end: int | None
) -> None:
    user, rows = await some_orders(world)
    fields: dict[str, Any] = {"states": [f"ORDER_STATE_{state}" for state in states]}
    fields |= {"from_time": time(begin)} if begin is not None else {}
    fields |= {"until_time": time(end)} if end is not None else {}
    low, high = START_MS + 60_000 * (begin or 0), START_MS + 60_000 * (ROWS if end is None else end)
    expected = [row for row in rows if row["state"] in states and low <= row["accepted_ms"] < high]
    found = await history.all(user, **fields)
    assert [order.order_id for order in found] == sorted((row["order_id"] for row in expected), reverse=True)
    assert {pb.OrderState.Name(order.state).removeprefix("ORDER_STATE_") for order in found} <= set(states)


def time(minute: int) -> Timestamp:
    return Timestamp(seconds=START_MS // 1000 + 60 * minute)


async def test_a_new_order_moves_no_later_page(world: World, history: History) -> None:
    user, rows = await some_orders(world)
    first = await history.page(user, page_size=20)
    late = sold_rows(random.Random(1), 1, ["sku"], START_MS + 60_000 * ROWS, 1, user=user)
    async with world.engine.begin() as connection:
        await connection.execute(insert(orders), late)
    second = await history.page(user, page_size=20, page_token=first.next_page_token)
    newest = sorted((row["order_id"] for row in rows), reverse=True)
    assert [order.order_id for order in (*first.orders, *second.orders)] == newest[:40]


FILTERS = {
    "all": OrderFilter(),
    "a state": OrderFilter(frozenset({"TO_SHIP"})),
    "states": OrderFilter(frozenset({"TO_SHIP", "PAYING"})),
    "a time": OrderFilter(from_ms=START_MS, until_ms=START_MS + 1),
    "both": OrderFilter(frozenset({"PAID", "REFUNDED"}), START_MS),
}


@pytest.mark.parametrize("which", FILTERS.values(), ids=FILTERS.keys())
async def test_every_filter_is_answered_from_the_index_alone_and_in_its_order(world: World, which: OrderFilter) -> None:
    user, rows = await some_orders(world)
    query = page_ids(user, rows[-1]["order_id"], 50, which)
    words = query.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True})
    async with world.engine.connect() as connection:
        plan = [row._mapping for row in await connection.execute(text(f"EXPLAIN {words}"))]
    read = next(row for row in plan if row["table"] == "orders")
    assert read["key"] == "orders_history"
    assert "Using index" in read["Extra"]
    assert "filesort" not in str(plan)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"states": [99]}, "states"),
        ({"states": [0]}, "states"),
        ({"states": ["ORDER_STATE_QUEUED"]}, "states"),
        ({"from_time": Timestamp(seconds=1 << 60)}, "from_time"),
        ({"until_time": Timestamp(seconds=-1)}, "until_time"),
        ({"until_time": Timestamp(seconds=1, nanos=-5)}, "until_time"),
        ({"from_time": Timestamp(seconds=5), "until_time": Timestamp(seconds=5)}, "until_time"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "' OR 1=1 --"}, "page_token"),
        ({"page_token": "A" * 22}, "page_token"),
    ],
)
async def test_what_is_wrong_is_named(history: History, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        await history.page("ana", **fields)
    assert {field for field, _ in raised.value.violations} == {named}


async def test_a_token_of_other_filters_is_refused(world: World, history: History) -> None:
    user, rows = await some_orders(world)
    plain = make_token(rows[0]["order_id"])
    filtered = make_token(rows[0]["order_id"], FILTERS["a state"])
    for token, states in ((plain, ["ORDER_STATE_PAID"]), (filtered, []), (filtered, ["ORDER_STATE_PAID"])):
        with pytest.raises(InvalidFields, match="page_token"):
            await history.page(user, page_token=token, states=states)
    await history.page(user, page_token=filtered, states=["ORDER_STATE_TO_SHIP"])
