"""Results, expiry against a debit, the reconciler and the sweeper, on real MariaDB, Redis and Kafka."""

import asyncio
import random

import pytest
from sqlalchemy.exc import IntegrityError

from kernel.topics import ORDERS_CREATED
from meshkit.clock import wall_ms
from order_worker.apply_standings import apply_standings
from order_worker.data_faults import DataFault
from order_worker.expire_orders import expire_orders
from order_worker.reconcile_stock import reconcile_stock
from order_worker.sweep_created import SweepCreated
from order_worker.write_results import write_results
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult
from tests.integration.order_worker.world import World, accepted, people

PAID = PaymentOutcome.PAYMENT_OUTCOME_PAID
SETTLED = PaymentOutcome.PAYMENT_OUTCOME_SETTLED
FAILED = PaymentOutcome.PAYMENT_OUTCOME_FAILED
REFUNDED = PaymentOutcome.PAYMENT_OUTCOME_REFUNDED


def result(order_id: str, outcome: PaymentOutcome.ValueType) -> PaymentResult:
    return PaymentResult(
        order_id=order_id, outcome=outcome, amount_minor=2489, currency="EUR", shipping_minor=490, reason="declined"
    )


async def test_results_move_row_counters_and_reservation_together(world: World) -> None:
    of = await world.open_offer(units=10)
    paid, settled, failed, refunded = placed = await world.reserve(of, people(4), quantity=2)
    await world.write(placed)
    results = [result(paid.order_id, PAID), result(settled.order_id, SETTLED), result(failed.order_id, FAILED)]
    results += [result(refunded.order_id, PAID), result(refunded.order_id, REFUNDED)]
    for _ in range(2):
        # The second time is a replay after a crash: nothing moves twice.
        await apply_standings(world.stock, await write_results(world.engine, results, wall_ms()))
        assert await world.states(placed) == ["PAID", "TO_SHIP", "PAYMENT_FAILED", "REFUNDED"]
        assert await world.counters(of) == (0, 4)
        assert await world.reservations(placed) == "SSXX"
    assert (await world.row(settled.order_id)).shipping_minor == 490
    assert (await world.row(failed.order_id)).reason == "declined"
    assert (await world.row(failed.order_id)).shipping_minor is None
    held = await world.stock.counters(of.offer_no, 0)
    assert held is not None
    assert (held.available, held.reserved, held.sold) == (6, 0, 4)


async def test_a_success_that_meets_a_failed_row_starts_one_refund(world: World) -> None:
    of = await world.open_offer(units=10)
    [order] = placed = await world.reserve(of, people(1))
    await world.write(placed)
    await write_results(world.engine, [result(order.order_id, FAILED)], wall_ms())
    for _ in range(2):
        await write_results(world.engine, [result(order.order_id, PAID)] * 2, wall_ms())
        assert await world.states(placed) == ["PAYMENT_FAILED"]
        assert await world.step(order.order_id, "refund") == "STARTED"
    await write_results(world.engine, [result(order.order_id, REFUNDED)], wall_ms())
    assert await world.states(placed) == ["PAYMENT_FAILED"]
    assert await world.counters(of) == (0, 0)


async def test_a_result_without_a_row_is_foreign(world: World) -> None:
    of = await world.open_offer(units=1)
    with pytest.raises(DataFault):
        await write_results(world.engine, [result(accepted(of, "nobody").order_id, PAID)], wall_ms())


@pytest.mark.parametrize("seed", range(4))
async def test_an_order_is_expired_or_charged_and_never_both(world: World, seed: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(seed)
    of = await world.open_offer(units=60)
    placed = await world.reserve(of, people(60), deadline_ms=1)
    await world.write(placed)
    started: set[str] = set()

    async def charge(order_id: str) -> None:
        try:
            await world.start_step(order_id)
            started.add(order_id)
        except IntegrityError:
            assert await world.step(order_id, "debit") == "BARRED"

    for order in placed[:10]:
        await charge(order.order_id)
    racing = [order.order_id for order in placed[10:50]]
    rng.shuffle(racing)
    pieces = [charge(order_id) for order_id in racing]
    pieces[rng.randrange(20) : 0] = [_expire(world, at_most=rng.randint(5, 30)) for _ in range(4)]
    await asyncio.gather(*pieces)
    while await expire_orders(world.engine, world.stock, wall_ms()):
        pass
    for order in placed[50:]:
        await charge(order.order_id)
    for order, state in zip(placed, await world.states(placed), strict=True):
        assert state == ("CREATED" if order.order_id in started else "EXPIRED")
        assert await world.step(order.order_id, "debit") == ("STARTED" if order.order_id in started else "BARRED")
    letters = await world.reservations(placed)
    assert letters == "".join("R" if order.order_id in started else "X" for order in placed)
    assert await world.counters(of) == (len(started), 0)


async def _expire(world: World, at_most: int) -> None:
    await expire_orders(world.engine, world.stock, wall_ms(), at_most)


async def test_the_reconciler_redoes_what_was_lost_and_spares_orders_without_a_row(world: World) -> None:
    of = await world.open_offer(units=10)
    _rowless, failed, paid, created = placed = await world.reserve(of, people(4))
    await world.write([failed, paid, created])
    await write_results(world.engine, [result(failed.order_id, FAILED), result(paid.order_id, PAID)], wall_ms())
    assert await world.reservations(placed) == "RRRR"
    # Other tests' offers are reconciled too.
    assert await reconcile_stock(world.engine, world.stock, wall_ms() + 1000, grace_ms=0) >= 2
    assert await world.reservations(placed) == "RXSR"
    assert await reconcile_stock(world.engine, world.stock, wall_ms() + 1000, grace_ms=0) == 0


async def test_the_sweeper_tells_again_of_what_nobody_began(world: World) -> None:
    of = await world.open_offer(units=10)
    lost, begun, young = placed = await world.reserve(of, people(3))
    await world.write(placed)
    await world.start_step(begun.order_id, "quote")
    await world.age([lost, begun], updated_ms=1)
    sweeper = SweepCreated(world.engine, world.publisher, after_seconds=30)
    while await sweeper.sweep(wall_ms()):
        pass
    told = await world.keys_of(ORDERS_CREATED)
    assert (told.count(lost.order_id), told.count(begun.order_id), told.count(young.order_id)) == (1, 0, 0)
    assert await sweeper.sweep(wall_ms()) == 0, "one pass in 30 s"
