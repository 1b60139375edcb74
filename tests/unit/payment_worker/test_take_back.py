"""A cancel after the charge: the carrier first, then money, invoice and coins; crashed and raced at every await."""

import asyncio
import random

import pytest

from kernel.payment_steps import BOOKING, COINS, CREDIT, DONE, FAILED, INVOICE, REFUND, REVOKE, STARTED, STUCK, UNBOOK
from meshkit.errors import IllegalState, KeyBarred, KeyNotFound
from payment_worker.settle_order import End
from payment_worker.step_rows import StepRow
from payment_worker.take_back import TakeBack
from tests.fakes.payment import SHIPPING, Crash, an_order, some_faults
from tests.polling import eventually
from tests.unit.payment_worker.bench import Bench, patience

ORDER = an_order()
PAID = ORDER.amount(SHIPPING)


def ask_back(bench: Bench, step: str = UNBOOK) -> None:
    """What order_worker inserts."""
    row = StepRow(ORDER.order_id, step, state=STARTED, amount_minor=PAID, currency="EUR", reason="too slow")
    bench.steps.put(ORDER.order_id, row)


def taking_back(bench: Bench) -> TakeBack:
    return TakeBack(bench.steps, bench.providers, bench.results, patience())


def states(bench: Bench) -> dict[str, str]:
    return {step: row.state for step, row in bench.rows(ORDER).items()}


async def test_everything_is_taken_back_and_the_refund_told_with_the_reason() -> None:
    bench = Bench()
    await bench.settle(ORDER)
    assert bench.providers.kept(ORDER.order_id) == {BOOKING, INVOICE, COINS}
    ask_back(bench)
    await taking_back(bench).sweep()
    assert bench.providers.net(ORDER.order_id) == 0
    assert bench.providers.kept(ORDER.order_id) == set()
    assert {step: states(bench)[step] for step in (UNBOOK, REFUND, CREDIT, REVOKE)} == dict.fromkeys(
        (UNBOOK, REFUND, CREDIT, REVOKE), DONE
    )
    assert bench.results.told[-1] == (ORDER.order_id, "REFUNDED", f"{PAID} EUR too slow")
    assert await taking_back(bench).sweep() == 0


async def test_a_parcel_that_was_collected_keeps_its_charge() -> None:
    bench = Bench(always={UNBOOK: IllegalState("the parcel was collected")})
    await bench.settle(ORDER)
    ask_back(bench)
    await taking_back(bench).sweep()
    assert bench.rows(ORDER)[UNBOOK].state == FAILED
    assert REFUND not in bench.rows(ORDER)
    assert bench.providers.net(ORDER.order_id) == PAID
    assert bench.results.outcomes(ORDER.order_id) == ["PAID", "SETTLED"]
    assert (await bench.settle(ORDER)).end is End.SETTLED


async def test_a_carrier_that_is_away_is_asked_again_and_no_money_moves_before() -> None:
    bench = Bench(always={UNBOOK: "down"})
    await bench.settle(ORDER)
    ask_back(bench)
    await taking_back(bench).sweep()
    assert states(bench)[UNBOOK] == STARTED
    assert bench.providers.net(ORDER.order_id) == PAID
    bench.providers.always.clear()
    await taking_back(bench).sweep()
    assert bench.providers.net(ORDER.order_id) == 0


@pytest.mark.parametrize(("step", "error"), [(UNBOOK, KeyBarred("no")), (REFUND, KeyNotFound("no"))])
async def test_what_a_provider_refuses_for_good_is_stuck(step: str, error: KeyBarred | KeyNotFound) -> None:
    bench = Bench(always={step: error})
    await bench.settle(ORDER)
    ask_back(bench)
    await taking_back(bench).sweep()
    assert states(bench)[step] == STUCK


async def test_while_the_carrier_is_asked_the_settlement_waits_and_then_leaves_it() -> None:
    bench = Bench(always={BOOKING: "down"})
    assert (await bench.settle(ORDER)).end is End.RETRY
    bench.providers.always.clear()
    ask_back(bench)
    assert (await bench.settle(ORDER)).end is End.RETRY
    await taking_back(bench).sweep()
    assert (await bench.settle(ORDER)).end is End.GIVEN_BACK
    assert bench.providers.kept(ORDER.order_id) == set()
    assert bench.results.outcomes(ORDER.order_id)[-1] == "REFUNDED"


@pytest.mark.parametrize("crash_at", range(1, 16))
async def test_killed_anywhere_it_is_taken_back_once(crash_at: int) -> None:
    bench = Bench()
    await bench.settle(ORDER)
    ask_back(bench)
    bench.world.ticks, bench.world.crash_at = 0, crash_at
    try:
        await taking_back(bench).sweep()
    except Crash:
        bench.world.crash_at = None
    while await taking_back(bench).sweep():
        pass
    assert [kind for _, kind, _ in bench.providers.moved] == ["debit", "refund"]
    assert bench.providers.net(ORDER.order_id) == 0
    assert bench.providers.kept(ORDER.order_id) == set()
    assert bench.results.outcomes(ORDER.order_id)[-1] == "REFUNDED"


async def until_ended(bench: Bench) -> End:
    """RETRY where a cancel waits for its carrier."""
    for _ in range(30):
        end = (await bench.settle(ORDER)).end
        if end is not End.RETRY:
            return end
    return End.RETRY


@pytest.mark.parametrize("seed", range(120))
async def test_a_cancel_that_meets_the_settlement(seed: int) -> None:
    """The row is PAID once the debit is stored: from there the wish may come between any two calls."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    collected = dice.random() < 0.3
    always = {UNBOOK: IllegalState("the parcel was collected")} if collected else {}
    bench = Bench(faults=some_faults(seed), always=always)  # type: ignore[arg-type]
    bench.world.dice = dice

    async def cancel() -> None:
        await eventually(lambda: "PAID" in bench.results.outcomes(ORDER.order_id), every=0)
        for _ in range(dice.randint(0, 8)):
            await bench.world.tick()
        ask_back(bench)
        for _ in range(3):
            await taking_back(bench).sweep()

    cancelling = asyncio.create_task(cancel())
    ending = await until_ended(bench)
    if "PAID" not in bench.results.outcomes(ORDER.order_id):
        cancelling.cancel()
        assert bench.providers.net(ORDER.order_id) == 0
        return
    await cancelling
    while await taking_back(bench).sweep():
        pass
    ending = await until_ended(bench) if ending is End.RETRY else ending
    assert STUCK not in states(bench).values()
    if collected:
        assert bench.providers.net(ORDER.order_id) == PAID
        assert bench.providers.kept(ORDER.order_id) == {BOOKING, INVOICE, COINS}
        assert ending is End.SETTLED
    else:
        assert bench.providers.net(ORDER.order_id) == 0
        assert bench.providers.kept(ORDER.order_id) == set()
        assert "REFUNDED" in bench.results.outcomes(ORDER.order_id)
