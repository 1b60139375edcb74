import pytest

from kernel.payment_steps import BOOKING, COINS, DEBIT, DONE, FAILED, INVOICE, QUOTE, STARTED, STUCK
from meshkit.errors import InvalidFields
from payment_worker.settle_order import End
from tests.fakes.payment import SHIPPING, Crash, an_order
from tests.unit.payment_worker.bench import Bench

ORDER = an_order()


async def test_an_order_is_charged_once_and_settled() -> None:
    bench = Bench()
    assert (await bench.settle(ORDER)).end is End.SETTLED
    assert bench.providers.net(ORDER.order_id) == ORDER.goods_minor + SHIPPING
    assert bench.results.outcomes(ORDER.order_id) == ["PAID", "SETTLED"]
    assert {row.state for row in bench.rows(ORDER).values()} == {DONE}
    assert len(bench.rows(ORDER)) == 5


async def test_a_replay_tells_the_same_and_calls_no_provider() -> None:
    bench = Bench()
    await bench.settle(ORDER)
    calls = bench.providers.calls.copy()
    assert (await bench.settle(ORDER)).end is End.SETTLED
    assert bench.providers.calls == calls
    assert bench.results.outcomes(ORDER.order_id) == ["PAID", "SETTLED", "PAID", "SETTLED"]


async def test_a_debit_that_was_done_but_not_answered_is_adopted() -> None:
    bench = Bench(faults={"debit": ["lost"]})
    assert (await bench.settle(ORDER)).end is End.SETTLED
    assert bench.providers.calls["debit"] == 1
    assert bench.providers.net(ORDER.order_id) == ORDER.amount(SHIPPING)


async def test_a_debit_that_was_not_done_is_repeated_under_its_key() -> None:
    bench = Bench(faults={"debit": ["down", "down"]})
    assert (await bench.settle(ORDER)).end is End.SETTLED
    assert bench.providers.calls["debit"] == 3
    assert [entry[1] for entry in bench.providers.moved] == ["debit"]


async def test_an_empty_wallet_fails_the_order_and_stays_declined() -> None:
    bench = Bench(balance=0)
    for _ in range(2):
        ending = await bench.settle(ORDER)
        assert ending.end is End.FAILED
        assert "too little" in ending.reason
        bench.providers.balance = 1_000_000
    assert bench.providers.moved == []
    assert bench.rows(ORDER)[DEBIT].state == FAILED
    assert bench.results.outcomes(ORDER.order_id) == ["FAILED", "FAILED"]


async def test_a_wallet_that_is_down_is_tried_later_and_nothing_is_told() -> None:
    bench = Bench(always={"debit": "down"})
    assert (await bench.settle(ORDER)).end is End.RETRY
    assert bench.rows(ORDER)[DEBIT].state == STARTED
    assert bench.results.told == []


async def test_the_last_try_voids_a_debit_whose_outcome_is_unknown() -> None:
    bench = Bench(always={"debit": "lost", "find_debit": "down"})
    ending = await bench.settle(ORDER, last_try=True)
    assert ending.end is End.FAILED
    assert bench.providers.calls["void"] == 1
    assert bench.providers.net(ORDER.order_id) == 0
    assert bench.rows(ORDER)[DEBIT].state == FAILED


async def test_no_order_with_a_started_debit_fails_before_its_void() -> None:
    bench = Bench(always={"debit": "down", "find_debit": "down", "void": "down"})
    assert (await bench.settle(ORDER, last_try=True)).end is End.STUCK
    assert bench.rows(ORDER)[DEBIT].state == STUCK
    assert bench.results.told == []
    bench.providers.always.clear()
    assert (await bench.settle(ORDER)).end is End.FAILED
    assert bench.providers.net(ORDER.order_id) == 0


async def test_a_debit_that_the_wallet_calls_invalid_is_voided_and_failed() -> None:
    bench = Bench(always={"debit": InvalidFields([("amount", "must be above zero")])})
    ending = await bench.settle(ORDER)
    assert ending.end is End.FAILED
    assert "above zero" in ending.reason
    assert bench.providers.calls["void"] == 1


async def test_a_barred_order_is_not_quoted_and_not_charged() -> None:
    bench = Bench()
    assert bench.steps.bar(ORDER.order_id)
    assert (await bench.settle(ORDER)).end is End.FAILED
    assert bench.providers.calls == {}
    assert bench.results.outcomes(ORDER.order_id) == ["FAILED"]
    assert set(bench.rows(ORDER)) == {DEBIT}


async def test_a_bar_that_comes_during_the_quote_stops_the_debit() -> None:
    bench = Bench(always={"quote": "down"})
    assert (await bench.settle(ORDER)).end is End.RETRY
    assert bench.steps.bar(ORDER.order_id)
    bench.providers.always.clear()
    assert (await bench.settle(ORDER)).end is End.FAILED
    assert bench.providers.calls["debit"] == 0
    assert bench.rows(ORDER)[QUOTE].state == FAILED


async def test_an_order_that_cannot_be_quoted_fails_uncharged_for_good() -> None:
    bench = Bench(always={"quote": InvalidFields([("weight_grams", "too heavy")])})
    assert (await bench.settle(ORDER)).end is End.FAILED
    bench.providers.always.clear()
    assert (await bench.settle(ORDER)).end is End.FAILED
    assert DEBIT not in bench.rows(ORDER)
    assert bench.providers.moved == []


@pytest.mark.parametrize("step", [BOOKING, INVOICE, COINS])
async def test_a_step_after_the_pivot_that_is_refused_is_stuck_and_the_order_paid(step: str) -> None:
    bench = Bench(always={step: InvalidFields([("x", "no")])})
    assert (await bench.settle(ORDER)).end is End.STUCK
    assert bench.results.outcomes(ORDER.order_id) == ["PAID"]
    assert {name for name, row in bench.rows(ORDER).items() if row.state != DONE} == {step}
    assert bench.rows(ORDER)[step].state == STUCK
    bench.providers.always.clear()
    assert (await bench.settle(ORDER)).end is End.SETTLED
    assert bench.providers.net(ORDER.order_id) == ORDER.amount(SHIPPING)


async def test_a_step_after_the_pivot_that_is_down_is_tried_later_without_a_second_debit() -> None:
    bench = Bench(always={INVOICE: "down"})
    assert (await bench.settle(ORDER)).end is End.RETRY
    bench.providers.always.clear()
    assert (await bench.settle(ORDER)).end is End.SETTLED
    assert bench.providers.calls["debit"] == 1
    assert bench.providers.calls[BOOKING] == 1


async def test_a_debit_done_meanwhile_is_never_voided() -> None:
    """Another settlement of the same order stores DONE while this one waits on a wallet that is silent."""
    slow, fast = Bench(always={"debit": "lost", "find_debit": "down"}), Bench()
    assert (await slow.settle(ORDER)).end is End.RETRY
    fast.steps, fast.providers.debits, fast.providers.moved = slow.steps, slow.providers.debits, slow.providers.moved
    assert (await fast.rewired().settle(ORDER)).end is End.SETTLED
    assert (await slow.settle(ORDER, last_try=True)).end is End.SETTLED
    assert slow.providers.calls["void"] == 0
    assert slow.providers.net(ORDER.order_id) == ORDER.amount(SHIPPING)


async def test_a_crash_before_the_debit_is_committed_charges_nothing() -> None:
    bench = Bench()
    bench.world.crash_at = 1
    with pytest.raises(Crash):
        await bench.settle(ORDER)
    assert bench.providers.moved == []
    assert bench.rows(ORDER) == {}
