"""Promotions behind their breaker: nobody waits for what does not answer, and holds keep their meaning."""

import asyncio
from dataclasses import dataclass

import pytest

from checkout_svc.promotions import Promotions
from checkout_svc.purchase import Promotion, PromotionState
from meshkit.breaker_policy import State
from meshkit.errors import PromotionUnavailable
from tests.polling import eventually
from tests.unit.checkout_svc.bench import OFFER, Bench, purchase


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


async def cut_off(clock: Clock) -> Bench:
    bench = await Bench(clock=clock).open(units=500)
    while bench.breaker.state is State.CLOSED:
        await bench.place(purchase(f"early{bench.promotions.asked}", voucher_code="SAVE"))
    bench.promotions.asked = 0
    bench.promotions.freed.clear()
    return bench


async def test_while_it_is_open_the_list_price_comes_without_a_single_wait() -> None:
    bench = await cut_off(Clock())
    wish = purchase(voucher_code="SAVE")
    quoting = Promotions(bench.promotions, 1.0, bench.breaker, bench.unused).quote(wish, OFFER)  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as ended:
        quoting.send(None)
    assert ended.value.value.promotion.state is PromotionState.UNAVAILABLE
    assert ended.value.value.take == 0, "nothing was asked, so nothing is to be freed"
    answer = await bench.place(wish)
    assert answer.promotion.state is PromotionState.UNAVAILABLE
    with pytest.raises(PromotionUnavailable):
        await bench.place(purchase(voucher_code="SAVE", require_promotion=True))
    assert bench.promotions.asked == 0


async def test_probes_are_made_beside_the_answers_and_what_they_hold_goes_back() -> None:
    clock = Clock()
    bench = await cut_off(clock)
    bench.promotions.applies(250)
    clock.now += 10
    requests = [purchase(f"u{number}", voucher_code="SAVE") for number in range(50)]
    answers = await asyncio.gather(*map(bench.place, requests))
    assert {answer.promotion.state for answer in answers} == {PromotionState.UNAVAILABLE}
    await eventually(lambda: bench.breaker.state is State.CLOSED)
    assert bench.promotions.asked == 3
    assert await bench.unused.free()
    given_back = {order_id for order_id, _ in bench.promotions.freed}
    assert bench.promotions.holds[""][0] in given_back
    assert not given_back & {answer.order_id for answer in answers}
    answer = await bench.place(purchase("late", voucher_code="SAVE"))
    assert answer.promotion == Promotion(PromotionState.APPLIED, 250)


async def test_a_repeat_keeps_its_discount_though_promotions_are_cut_off_by_then() -> None:
    bench = await Bench().open()
    bench.promotions.applies(250)
    request = purchase(voucher_code="SAVE")
    first = await bench.place(request)
    bench.breaker.force(State.OPEN)
    assert await bench.place(request) == first


async def test_holds_wait_while_promotions_are_cut_off() -> None:
    bench = await Bench().open(units=1)
    bench.promotions.applies(250)
    assert (await bench.place(purchase(voucher_code="SAVE"))).queued
    with pytest.raises(Exception, match="sold out"):
        await bench.place(purchase("late", voucher_code="SAVE"))
    bench.breaker.force(State.OPEN)
    assert not await bench.unused.free()
    bench.breaker.force(None)
    assert await bench.unused.free()
    assert len(bench.promotions.freed) == 1
