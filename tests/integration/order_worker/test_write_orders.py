"""One batch, one transaction, on a real MariaDB."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from kernel.offers import Offer
from kernel.order_states import OrderState
from kernel.schema import stock_rebuild
from meshkit.clock import wall_ms
from order_worker.data_faults import is_data_error
from order_worker.order_rows import to_message
from order_worker.plan_batch import FencePassed, Intake
from order_worker.write_orders import write_failed, write_orders
from tests.integration.order_worker.world import World, accepted, by_id, people


async def test_a_new_batch_and_its_replay(world: World) -> None:
    of = await world.open_offer(units=100)
    placed = await world.reserve(of, people(50), quantity=2)
    first = await world.write(placed)
    assert set(first.values()) == {OrderState.CREATED}
    assert await world.counters(of) == (100, 0)
    assert await world.write(placed + placed) == first
    assert await world.counters(of) == (100, 0)


async def test_a_row_leads_back_to_its_message(world: World) -> None:
    of = await world.open_offer(units=1)
    order = accepted(of, people(1)[0], voucher_code="SAVE10", discount_minor=200, placed_by="shop")
    await world.write([order])
    assert to_message(dict((await world.row(order.order_id))._mapping)) == order


async def test_an_insert_of_a_batch_is_one_statement(world: World) -> None:
    of = await world.open_offer(units=500)
    placed = [accepted(of, user) for user in people(500)]

    async def inserts() -> int:
        async with world.engine.connect() as connection:
            return int((await connection.execute(text("SHOW GLOBAL STATUS LIKE 'Com_insert'"))).one()[1])

    before = await inserts()
    await world.write(placed)
    assert await inserts() - before == 1


async def test_a_reused_request_id_loses(world: World) -> None:
    of = await world.open_offer(units=10)
    [user] = people(1)
    first, second = accepted(of, user), accepted(of, user)
    second.request_id = first.request_id
    await world.write([first])
    assert (await world.write([second]))[second.order_id] is OrderState.REJECTED_DUPLICATE
    assert (await world.row(second.order_id)).request_id is None
    assert await world.counters(of) == (1, 0)


async def test_over_the_limit(world: World) -> None:
    of = await world.open_offer(units=10, limit=2)
    [user] = people(1)
    placed = [accepted(of, user) for _ in range(3)]
    await world.write(placed[:1])
    await world.write(placed[1:])
    assert await world.states(placed) == ["CREATED", "CREATED", "REJECTED_LIMIT"]
    assert await world.counters(of) == (2, 0)


async def test_oversold_overflow_is_rejected_and_the_rest_stays(world: World) -> None:
    of = await world.open_offer(units=7)
    placed = [accepted(of, user, quantity=2) for user in people(5)]
    states = list((await world.write(placed)).values())
    assert states.count(OrderState.CREATED) == 3
    assert states.count(OrderState.REJECTED_OVERSOLD) == 2
    assert await world.counters(of) == (6, 0)


async def test_an_id_that_another_buyers_row_has_is_a_replay(world: World) -> None:
    of = await world.open_offer(units=10)
    first, second = (accepted(of, user) for user in people(2))
    second.order_id = first.order_id
    await world.write([first])
    assert (await world.write([second]))[second.order_id] is OrderState.CREATED
    assert (await world.row(first.order_id)).user_id == first.user_id
    assert await world.counters(of) == (1, 0)


async def test_a_tombstone_is_met_by_its_order(world: World) -> None:
    of = await world.open_offer(units=10)
    placed = await world.reserve(of, people(2))
    await world.write(placed, cancelled=True)
    await world.write(placed)
    assert await world.states(placed) == ["CANCELLED", "CANCELLED"]
    assert await world.counters(of) == (0, 0)


async def test_a_cancel_that_comes_second_bars_the_debit(world: World) -> None:
    of = await world.open_offer(units=10)
    free, charged = placed = await world.reserve(of, people(2))
    await world.write(placed)
    await world.start_step(charged.order_id)
    await world.write(placed, cancelled=True)
    assert await world.states(placed) == ["CANCELLED", "CREATED"]
    assert await world.step(free.order_id, "debit") == "BARRED"
    assert await world.step(charged.order_id, "debit") == "STARTED"
    assert await world.counters(of) == (1, 0)
    # Its buyer was never told QUEUED: the request is free again, as after a cancel that comes first.
    assert [(await world.row(order.order_id)).request_id for order in placed] == [None, charged.request_id]


async def test_parallel_writers_neither_oversell_nor_pass_a_limit_nor_double_a_request(world: World) -> None:
    of = await world.open_offer(units=25, limit=2)
    users = people(20)
    shared = {user: str(uuid4()) for user in users}
    batches = []
    for number in range(4):
        batch = [accepted(of, user, request_id=shared[user]) for user in users] if number < 2 else []
        batches.append(batch + [accepted(of, user) for user in users])
    written = await asyncio.gather(*(world.write(batch) for batch in batches), *(world.write(b) for b in batches))
    assert await world.counters(of) == (25, 0)
    async with world.engine.connect() as connection:
        over = text(
            "SELECT COUNT(*) FROM (SELECT user_id FROM orders WHERE offer_no = :n AND state = 'CREATED'"
            " GROUP BY user_id HAVING SUM(quantity) > 2) found"
        )
        assert await connection.scalar(over, {"n": of.offer_no}) == 0
    placed = [order for batch in batches for order in batch]
    assert len(set().union(*(each.keys() for each in written))) == len(placed)
    assert None not in await world.states(placed)


async def test_a_fence_refuses_what_is_older_after_it_and_is_remembered(world: World) -> None:
    of = await world.open_offer(units=10)
    before, after, current = (accepted(of, user, epoch=epoch) for user, epoch in zip(people(3), (5, 5, 6), strict=True))
    await rebuilt(world, of, 6)
    await write_orders(world.engine, [], [FencePassed(900, 100, 6)], wall_ms())
    batch = [Intake(before, 900, 99), Intake(after, 900, 101), Intake(current, 900, 102)]
    states = by_id(await write_orders(world.engine, batch, [], wall_ms()))
    assert list(states.values()) == [OrderState.CREATED, OrderState.REJECTED_STALE_EPOCH, OrderState.CREATED]
    # Read again, as after a restart, at another offset: the first marker stays.
    await write_orders(world.engine, [], [FencePassed(900, 50, 6)], wall_ms())
    late = accepted(of, people(1)[0], epoch=5)
    assert by_id(await write_orders(world.engine, [Intake(late, 900, 60)], [], wall_ms())) == {
        late.order_id: OrderState.CREATED
    }


async def test_a_fence_refuses_nothing_of_an_offer_that_was_not_rebuilt(world: World) -> None:
    fenced, other = await world.open_offer(units=10), await world.open_offer(units=10)
    await rebuilt(world, fenced, 6)
    await write_orders(world.engine, [], [FencePassed(901, 100, 6)], wall_ms())
    placed = [accepted(of, people(1)[0], epoch=5) for of in (fenced, other)]
    batch = [Intake(order, 901, 101 + n) for n, order in enumerate(placed)]
    states = by_id(await write_orders(world.engine, batch, [], wall_ms()))
    assert list(states.values()) == [OrderState.REJECTED_STALE_EPOCH, OrderState.CREATED]


async def rebuilt(world: World, of: Offer, epoch: int) -> None:
    """As the governor notes it before it writes the markers."""
    values = {"epoch": epoch, "offer_no": of.offer_no, "request_id": str(uuid4()), "reason": "a drill"}
    values |= {"state": "DONE", "started_ms": 0, "updated_ms": 0}
    async with world.engine.begin() as connection:
        await connection.execute(insert(stock_rebuild).values(values))


@pytest.mark.parametrize("fields", [{"voucher_code": "v" * 65}, {"currency": "EURO"}, {"request_hash": "ü"}])
async def test_values_that_do_not_fit_are_the_datas_fault_and_leave_nothing(
    world: World, fields: dict[str, Any]
) -> None:
    of = await world.open_offer(units=10)
    good, bad = accepted(of, people(1)[0]), accepted(of, people(1)[0], **fields)
    with pytest.raises(DBAPIError) as raised:
        await world.write([good, bad])
    assert is_data_error(raised.value)
    assert await world.counters(of) == (0, 0)
    failed = await write_failed(world.engine, bad, "too long", wall_ms())
    assert failed.state is OrderState.FAILED_DLQ
    assert await world.states([good, bad]) == [None, "FAILED_DLQ"]
