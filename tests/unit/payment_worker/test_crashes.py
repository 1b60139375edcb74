"""Seeded simulation: crash at every await, with and without faults, then run again: charged once or not at all."""

import asyncio
import random

import pytest

from kernel.payment_steps import BARRED, DEBIT, DONE, FAILED, REFUND, STARTED
from meshkit.errors import PeakmeshError
from payment_worker.settle_order import End
from payment_worker.step_rows import StepRow
from payment_worker.take_back import TakeBack
from tests.fakes.payment import SHIPPING, Crash, an_order, some_faults
from tests.unit.payment_worker.bench import Bench, patience

ORDER = an_order()


async def run_with_crashes(bench: Bench, crashes: list[int], last_try: bool = False) -> End:
    """Restarts after each crash, as the offset that was never committed makes a worker do, until an end is reached."""
    pending = list(crashes)
    for attempt in range(60):
        bench.world.ticks = 0
        bench.world.crash_at = pending.pop(0) if pending else None
        try:
            ending = await bench.rewired().settle(ORDER, last_try=last_try or attempt > 6)
        except Crash:
            continue
        if ending.end is not End.RETRY:
            return ending.end
    raise AssertionError("no end after 60 runs")


def assert_consistent(bench: Bench, end: End) -> None:
    debit = bench.rows(ORDER).get(DEBIT)
    moves = [kind for _, kind, _ in bench.providers.moved]
    assert moves.count("debit") <= 1
    told = bench.results.outcomes(ORDER.order_id)
    if end is End.SETTLED:
        assert debit is not None
        assert debit.state == DONE
        assert bench.providers.net(ORDER.order_id) == ORDER.amount(SHIPPING)
        assert told[-1] == "SETTLED"
        assert "FAILED" not in told
    else:
        assert end is End.FAILED
        assert debit is None or debit.state in (FAILED, BARRED)
        assert bench.providers.net(ORDER.order_id) == 0
        assert told[-1] == "FAILED"
        assert "PAID" not in told


async def ticks_of(bench: Bench) -> int:
    await bench.settle(ORDER)
    return bench.world.ticks


@pytest.mark.parametrize("kind", ["happy", "lost", "empty wallet", "void"])
async def test_a_crash_at_every_point_and_another_in_the_replay(kind: str) -> None:
    def bench() -> Bench:
        if kind == "lost":
            return Bench(faults={"debit": ["lost"], "invoice": ["lost"]})
        if kind == "void":
            return Bench(always={"debit": "lost", "find_debit": "down"})
        return Bench(balance=0 if kind == "empty wallet" else 1_000_000)

    points = await ticks_of(bench()) + 4
    for first in range(1, points + 1):
        for second in range(1, points + 1, 3):
            under_test = bench()
            end = await run_with_crashes(under_test, [first, second], last_try=kind == "void")
            assert_consistent(under_test, end)


@pytest.mark.parametrize("seed", range(80))
async def test_random_faults_and_crashes(seed: int) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    bench = Bench(faults=some_faults(seed), balance=dice.choice([0, 1_000_000]))
    if dice.random() < 0.2:
        bench.steps.bar(ORDER.order_id)
    end = await run_with_crashes(bench, [dice.randint(1, 40) for _ in range(dice.randint(0, 5))])
    assert_consistent(bench, end)


@pytest.mark.parametrize("seed", range(80))
async def test_settlements_of_one_order_side_by_side(seed: int) -> None:
    """A rebalance or a retry topic may run an order twice at once, one on its last try, while a buyer cancels."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    silent: dict[str, list[str | PeakmeshError]] = {"debit": ["lost"] * 2, "find_debit": ["down"] * dice.randint(0, 12)}
    bench = Bench(faults=some_faults(seed) | (silent if dice.random() < 0.7 else {}))
    bench.world.dice = dice

    async def cancel() -> None:
        for _ in range(dice.randint(0, 12)):
            await bench.world.tick()
        bench.steps.bar(ORDER.order_id)

    tries = [bench.settle(ORDER, last_try=dice.random() < 0.5) for _ in range(dice.randint(2, 3))]
    endings = await asyncio.gather(*tries, *([cancel()] if dice.random() < 0.5 else []))
    ends = {ending.end for ending in endings if ending is not None}
    last = await run_with_crashes(bench, [])
    assert_consistent(bench, last)
    assert not {End.SETTLED, End.FAILED} <= ends | {last}


@pytest.mark.parametrize("crash_at", range(1, 10))
async def test_a_refund_moves_money_once_and_is_told(crash_at: int) -> None:
    bench = Bench()
    await bench.settle(ORDER)
    row = StepRow(ORDER.order_id, REFUND, state=STARTED, amount_minor=ORDER.amount(SHIPPING), currency="EUR")
    bench.steps.put(ORDER.order_id, row)
    refunds = TakeBack(bench.steps, bench.providers, bench.results, patience())
    bench.world.ticks, bench.world.crash_at = 0, crash_at
    try:
        await refunds.sweep()
    except Crash:
        bench.world.crash_at = None
    await refunds.sweep()
    assert bench.rows(ORDER)[REFUND].state == DONE
    assert bench.providers.net(ORDER.order_id) == 0
    assert [kind for _, kind, _ in bench.providers.moved] == ["debit", "refund"]
    assert bench.results.outcomes(ORDER.order_id)[-1] == "REFUNDED"
    assert await refunds.sweep() == 0
