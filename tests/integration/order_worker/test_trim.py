"""Old reservations leave Redis when the row says so, and the stock stays accounted for."""

import pytest

from kernel.payment_steps import TAKING_BACK
from meshkit.clock import wall_ms
from order_worker.apply_standings import apply_standings
from order_worker.trim_reservations import trim_reservations
from order_worker.write_results import write_results
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult
from tests.integration.order_worker.world import World, people

LATER_MS = 60_000


def result(order_id: str, outcome: PaymentOutcome.ValueType) -> PaymentResult:
    return PaymentResult(order_id=order_id, outcome=outcome, amount_minor=2489, currency="EUR", shipping_minor=490)


@pytest.mark.parametrize("back", ["refund", "unbook"])
async def test_only_what_is_over_for_good_is_trimmed(world: World, back: str) -> None:
    of = await world.open_offer(units=10)
    settled, failed, open_, owed, _unwritten = placed = await world.reserve(of, people(5))
    await world.write([settled, failed, open_, owed])
    results = [
        result(settled.order_id, PaymentOutcome.PAYMENT_OUTCOME_SETTLED),
        result(failed.order_id, PaymentOutcome.PAYMENT_OUTCOME_FAILED),
        result(owed.order_id, PaymentOutcome.PAYMENT_OUTCOME_SETTLED),
    ]
    await apply_standings(world.stock, await write_results(world.engine, results, wall_ms()))
    # A cancel under way would find no reservation to give its unit back by.
    await world.start_step(owed.order_id, back)
    assert await world.reservations(placed) == "SXRSR"
    await trim_reservations(world.engine, world.stock, wall_ms() - LATER_MS)
    assert await world.reservations(placed) == "SXRSR", "nothing is old enough"
    await trim_reservations(world.engine, world.stock, wall_ms() + LATER_MS)
    assert await world.reservations(placed) == "--RSR"
    snapshot = await world.stock.snapshot(of.offer_no, 0)
    assert snapshot is not None
    counters = snapshot.counters
    assert (counters.available, counters.reserved, counters.sold, counters.trimmed) == (6, 2, 2, 1)
    assert snapshot.sold + counters.trimmed == counters.sold
    assert await world.counters(of) == (1, 2)


async def test_a_cancel_done_a_day_late_gives_its_unit_back(world: World) -> None:
    """The carrier was away; all its steps are DONE, and REFUNDED waits in Kafka."""
    of = await world.open_offer(units=10)
    refused, late = placed = await world.reserve(of, people(2))
    await world.write(placed)
    settled = [result(order.order_id, PaymentOutcome.PAYMENT_OUTCOME_SETTLED) for order in placed]
    await apply_standings(world.stock, await write_results(world.engine, settled, wall_ms()))
    for order, ends in ((refused, {"unbook": "FAILED"}), (late, dict.fromkeys(TAKING_BACK, "DONE"))):
        for step, state in ends.items():
            await world.start_step(order.order_id, step)
            await world.end_step(order.order_id, step, state)
    await trim_reservations(world.engine, world.stock, wall_ms() + LATER_MS)
    assert await world.reservations(placed) == "-S"
    refunded = [result(late.order_id, PaymentOutcome.PAYMENT_OUTCOME_REFUNDED)]
    await apply_standings(world.stock, await write_results(world.engine, refunded, wall_ms()))
    counters = await world.stock.counters(of.offer_no, 0)
    assert counters is not None
    assert (counters.available, counters.reserved, counters.sold, counters.trimmed) == (9, 0, 1, 1)
    assert await world.counters(of) == (0, 1)
    await trim_reservations(world.engine, world.stock, wall_ms() + LATER_MS)
    assert await world.reservations(placed) == "--"
