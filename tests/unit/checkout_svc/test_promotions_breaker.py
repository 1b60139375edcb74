"""Promotions behind their breaker: nobody waits for what does not answer, and holds keep their meaning."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from checkout_svc.promotions import Promotions
from checkout_svc.purchase import SWITCHED_OFF, Promotion, PromotionState, Purchase, Quote
from kernel.features import defaults
from meshkit.breaker_policy import State
from meshkit.errors import PromotionUnavailable, SoldOut
from tests.polling import eventually
from tests.unit.checkout_svc.bench import OFFER, Bench, purchase


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def quote_of(bench: Bench, wish: Purchase) -> Coroutine[Any, Any, Quote]:
    channel: Any = bench.promotions
    return Promotions(channel, 1.0, bench.breaker, bench.unused, bench.flags).quote(wish, OFFER)


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
    quoting = quote_of(bench, wish)
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


async def test_switched_off_they_are_not_asked_nor_waited_for_and_the_list_price_says_why() -> None:
    clock = Clock()
    bench = await Bench(clock=clock).open(units=50)
    bench.promotions.applies(250)
    bench.flags.replace(defaults() | {"promotions": False})
    with pytest.raises(StopIteration) as ended:
        quote_of(bench, purchase(voucher_code="SAVE")).send(None)
    assert ended.value.value == Quote(SWITCHED_OFF)
    # No time opens it again: there is no probe, which would be a call.
    clock.now += 1_000
    answer = await bench.place(purchase(voucher_code="SAVE"))
    assert answer.promotion == SWITCHED_OFF
    with pytest.raises(PromotionUnavailable, match="switched off") as raised:
        await bench.place(purchase("late", voucher_code="SAVE", require_promotion=True))
    assert (raised.value.metadata, raised.value.retry_after) == ({"feature": "promotions"}, 30.0)
    assert (bench.promotions.asked, await bench.available()) == (0, 49)


async def test_switched_on_again_the_discount_is_back_at_once_and_holds_that_waited_go_back() -> None:
    bench = await Bench().open(units=1)
    bench.promotions.applies(250)
    await bench.place(purchase(voucher_code="SAVE"))
    with pytest.raises(SoldOut):
        await bench.place(purchase("late", voucher_code="SAVE"))
    bench.flags.replace(defaults() | {"promotions": False})
    assert not await bench.unused.free()
    bench.flags.replace(defaults())
    assert bench.breaker.state is State.CLOSED
    assert await bench.unused.free()
    assert len(bench.promotions.freed) == 1
    quote = await quote_of(bench, purchase("bob", voucher_code="SAVE"))
    assert quote.promotion == Promotion(PromotionState.APPLIED, 250)


async def test_a_breaker_that_opened_by_itself_is_not_closed_by_a_change_of_something_else() -> None:
    bench = await cut_off(Clock())
    bench.flags.replace(defaults() | {"recommendations": False})
    bench.flags.replace(defaults())
    assert bench.breaker.state is State.OPEN
