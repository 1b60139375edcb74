"""One order a line, each with its own outcome; a retry, also after a death, ends with exactly those."""

import asyncio
from uuid import UUID, uuid5

import pytest

from checkout_svc.cart import Action
from checkout_svc.checkout_cart import AT_ONCE
from checkout_svc.line_outcome import Refusal
from kernel.offers import Offer
from kernel.stock.results import OfferState
from meshkit.errors import CartEmpty, DependencyUnavailable, Overloaded, RequestIdReused
from tests.fakes.publisher import Acks
from tests.polling import eventually
from tests.unit.checkout_svc.cart_bench import CASE, PHONE, CartBench, Killed, checkout, die, stocked, told

BOTH = [("phone", "QUEUED"), ("case", "QUEUED")]


async def assert_one_order_a_line(bench: CartBench) -> None:
    assert (await bench.reserved(PHONE), await bench.reserved(CASE)) == (2, 1)
    assert sorted({order.sku for order in bench.kafka.accepted()}) == ["case", "phone"]
    assert len({order.order_id for order in bench.kafka.accepted()}) == 2
    assert await bench.left() == []


async def test_each_line_is_an_order_and_leaves_the_cart() -> None:
    bench, wish = await stocked(), checkout()
    assert told(await bench.checkout_cart(wish)) == BOTH
    await assert_one_order_a_line(bench)
    orders = {order.sku: order for order in bench.kafka.accepted()}
    assert orders["phone"].request_id == str(uuid5(UUID(wish.request_id), "phone"))
    assert (orders["phone"].quantity, orders["phone"].price_version) == (2, 1)


async def test_a_retry_gets_the_same_answer_whatever_the_cart_holds_by_then() -> None:
    bench, wish = await stocked(), checkout()
    first = await bench.checkout_cart(wish)
    await bench.add(PHONE)
    bench.start()
    assert await bench.checkout_cart(wish) == first
    assert await bench.reserved(PHONE) == 2
    assert await bench.left() == [("phone", 1)]


async def test_another_body_and_an_empty_cart_are_refused() -> None:
    bench, wish = await stocked(), checkout()
    await bench.checkout_cart(wish)
    with pytest.raises(RequestIdReused):
        await bench.checkout_cart(checkout(wish.request_id, body="another"))
    with pytest.raises(CartEmpty):
        await bench.checkout_cart(checkout())


async def test_a_refused_line_stays_in_the_cart_and_refused_under_its_request_id() -> None:
    bench, wish = await stocked(phones=1), checkout()
    first = await bench.checkout_cart(wish)
    assert told(first) == [("phone", "SOLD_OUT"), ("case", "QUEUED")]
    refusal = first[0][1]
    assert isinstance(refusal, Refusal)
    assert (refusal.final, refusal.metadata) == (True, {"available": "1"})
    assert await bench.left() == [("phone", 2)]
    await bench.stock.set_initial(PHONE.offer_no, 0, 1, 10)
    assert await bench.checkout_cart(wish) == first
    assert await bench.reserved(PHONE) == 0
    assert told(await bench.checkout_cart(checkout())) == [("phone", "QUEUED")]
    assert (await bench.reserved(PHONE), await bench.left()) == (2, [])


async def test_a_price_that_has_changed_refuses_its_line_until_the_buyer_takes_it() -> None:
    bench = await stocked()
    dearer = Offer(13, "sale-1", "phone", 2500, "EUR", 2, 250, 1, 1, 5)
    await bench.reopen(dearer, 5)
    first = await bench.checkout_cart(checkout())
    assert told(first) == [("phone", "PRICE_CHANGED"), ("case", "QUEUED")]
    assert isinstance(first[0][1], Refusal)
    assert first[0][1].metadata == {"price_version": "2"}
    await bench.change("ana", Action.SET, "5f0c3b0e-0000-4000-8000-000000000001", "sale-1", "phone", 2)
    assert told(await bench.checkout_cart(checkout())) == [("phone", "QUEUED")]
    assert bench.kafka.accepted()[-1].unit_price_minor == 2500


async def test_a_closed_sale_and_a_reached_limit_are_told_a_line() -> None:
    bench = await stocked()
    await bench.stock.set_state(PHONE.offer_no, 0, 1, OfferState.CLOSED)
    await bench.add(CASE, 5)
    assert told(await bench.checkout_cart(checkout())) == [("phone", "SALE_NOT_OPEN"), ("case", "LIMIT_REACHED")]
    assert await bench.left() == [("phone", 2), ("case", 6)]


@pytest.mark.parametrize("acks", [Acks.SILENT, Acks.LOST, Acks.REFUSED])
async def test_a_pending_line_stays_until_a_retry_finds_it_queued(acks: Acks) -> None:
    bench, wish = await stocked(), checkout()
    bench.kafka.acks = acks
    pending = await bench.checkout_cart(wish)
    assert told(pending) == [("phone", "PENDING"), ("case", "PENDING")]
    assert await bench.left() == [("phone", 2), ("case", 1)]
    bench.kafka.acks = Acks.AT_ONCE
    queued = await bench.checkout_cart(wish)
    assert told(queued) == BOTH
    assert [getattr(each, "order_id", "") for _, each in queued] == [
        getattr(each, "order_id", "") for _, each in pending
    ]
    await assert_one_order_a_line(bench)


async def test_without_stock_a_line_is_not_final_and_is_tried_again() -> None:
    bench, wish = await stocked(), checkout()
    bench.stock.down = True
    lines = await bench.checkout_cart(wish)
    assert told(lines) == [("phone", "DEPENDENCY_UNAVAILABLE"), ("case", "DEPENDENCY_UNAVAILABLE")]
    assert not any(isinstance(outcome, Refusal) and outcome.final for _, outcome in lines)
    bench.stock.down = False
    assert told(await bench.checkout_cart(wish)) == BOTH
    await assert_one_order_a_line(bench)


async def test_every_line_counts_as_an_order_in_progress() -> None:
    bench, wish = await stocked(most=1), checkout()
    first = await bench.checkout_cart(wish)
    assert sorted(outcome for _, outcome in told(first)) == ["OVERLOADED", "QUEUED"]
    assert [outcome.retry_after for _, outcome in first if isinstance(outcome, Refusal)] == [1.0]
    assert told(await bench.checkout_cart(wish)) == BOTH
    await assert_one_order_a_line(bench)
    full = await stocked(most=0)
    with pytest.raises(Overloaded):
        await full.checkout_cart(wish)


async def test_a_defect_in_one_line_hides_nothing_of_the_others() -> None:
    bench, wish = await stocked(), checkout()
    hooks = iter([False, True])

    def fail_once() -> None:
        if next(hooks, False):
            raise ZeroDivisionError

    bench.kafka.before = fail_once
    assert told(await bench.checkout_cart(wish)) == [("phone", "QUEUED"), ("case", "INTERNAL")]
    assert told(await bench.checkout_cart(wish)) == BOTH
    await assert_one_order_a_line(bench)


async def test_more_lines_than_go_at_once_all_go() -> None:
    bench = CartBench()
    offers = [Offer(100 + n, "sale-1", f"sku-{n}", 100, "EUR", 1, 1, 1, 1, 1) for n in range(2 * AT_ONCE + 3)]
    for offer in offers:
        await bench.reopen(offer, 1)
        await bench.add(offer)
    assert told(await bench.checkout_cart(checkout())) == [(offer.sku, "QUEUED") for offer in offers]
    assert await bench.left() == []


async def test_one_sku_in_two_sales_is_two_orders() -> None:
    bench = await stocked()
    again = Offer(14, "sale-2", "phone", 1899, "EUR", 7, 250, 1, 1, 5)
    await bench.reopen(again, 5)
    await bench.add(again)
    assert told(await bench.checkout_cart(checkout())) == [*BOTH, ("phone", "QUEUED")]
    assert (await bench.reserved(PHONE), await bench.reserved(again)) == (2, 1)


@pytest.mark.parametrize("moment", ["before_settle", "after_settle"])
async def test_a_death_between_the_orders_and_the_answer(moment: str) -> None:
    bench, wish = await stocked(), checkout()
    setattr(bench.carts, moment, die)
    with pytest.raises(Killed):
        await bench.checkout_cart(wish)
    setattr(bench.carts, moment, lambda: None)
    bench.start()
    assert told(await bench.checkout_cart(wish)) == BOTH
    await assert_one_order_a_line(bench)


@pytest.mark.parametrize("orders", [0, 1])
async def test_a_death_between_two_lines(orders: int) -> None:
    bench, wish = await stocked(), checkout()
    left = iter([False] * orders + [True])

    def die_once() -> None:
        if next(left, False):
            die()

    bench.kafka.before = die_once
    with pytest.raises(Killed):
        await bench.checkout_cart(wish)
    bench.start()
    assert told(await bench.checkout_cart(wish)) == BOTH
    await assert_one_order_a_line(bench)


async def test_an_answer_that_could_not_be_stored_is_not_told() -> None:
    bench, wish = await stocked(phones=1), checkout()
    bench.carts.before_settle = lambda: setattr(bench.carts, "down", True)
    with pytest.raises(DependencyUnavailable):
        await bench.checkout_cart(wish)
    bench.carts.down, bench.carts.before_settle = False, lambda: None
    assert told(await bench.checkout_cart(wish)) == [("phone", "SOLD_OUT"), ("case", "QUEUED")]


async def test_a_buyer_who_hangs_up_still_finds_the_cart_settled() -> None:
    bench, wish = await stocked(), checkout()
    bench.kafka.acks = Acks.SILENT
    bench.start(budget=5.0)
    call = asyncio.create_task(bench.checkout_cart(wish))

    async def both_reserved() -> bool:
        return await bench.reserved(PHONE) + await bench.reserved(CASE) == 3

    async def settled() -> bool:
        bench.kafka.wake()
        return await bench.left() == []

    await eventually(both_reserved)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(settled)
    await assert_one_order_a_line(bench)


async def test_parallel_calls_are_one_checkout() -> None:
    bench, wish = await stocked(phones=2, cases=1), checkout()
    answers = await asyncio.gather(*[bench.checkout_cart(wish) for _ in range(20)])
    assert all(told(answer) == BOTH for answer in answers)
    assert len({outcome.order_id for answer in answers for _, outcome in answer if hasattr(outcome, "order_id")}) == 2
    assert (await bench.reserved(PHONE), await bench.reserved(CASE), await bench.left()) == (2, 1, [])
