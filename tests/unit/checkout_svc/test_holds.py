"""The hold behind a voucher: for the order that is made, once, and given back where none is."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from checkout_svc.purchase import PromotionState
from kernel.stock.results import ReserveKind, ReserveRequest, ReserveResult
from meshkit.breaker_policy import State
from meshkit.errors import DependencyUnavailable, LimitReached, PeakmeshError, PromotionUnavailable, SoldOut
from tests.fakes.stock import FakeStock
from tests.unit.checkout_svc.bench import Bench, purchase


class Moody(FakeStock):
    """Answers with the next of `moods` first: an error to raise, or the kind of a result."""

    def __init__(self, *moods: ReserveKind | DependencyUnavailable) -> None:
        super().__init__()
        self.moods = list(moods)

    async def reserve(
        self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
    ) -> list[ReserveResult]:
        if self.moods:
            mood = self.moods.pop(0)
            if isinstance(mood, DependencyUnavailable):
                raise mood
            return [ReserveResult(mood) for _ in requests]
        return await super().reserve(offer_no, bucket, epoch, requests)


def wish(user: str = "ann", **changes: Any) -> Any:
    return purchase(user, voucher_code="SAVE", **changes)


async def opened(units: int = 5, stock: FakeStock | None = None) -> Bench:
    bench = await Bench(stock=stock or FakeStock()).open(units)
    bench.promotions.applies(250)
    return bench


async def freed(bench: Bench) -> list[tuple[str, int]]:
    assert await bench.unused.free()
    return bench.promotions.freed


async def test_the_order_is_the_one_that_the_hold_is_for() -> None:
    bench = await opened()
    request = wish()
    answer = await bench.place(request)
    assert bench.promotions.holds == {request.request_id: (answer.order_id, 1)}
    assert bench.kafka.accepted()[0].order_id == answer.order_id
    await bench.place(request)
    assert bench.promotions.asked == 1
    assert await freed(bench) == []


async def test_a_buyer_who_gets_nothing_gives_the_hold_back() -> None:
    bench = await opened(units=1)
    refusals: list[tuple[int, type[PeakmeshError]]] = [(2, SoldOut), (3, LimitReached)]
    for quantity, refusal in refusals:
        request = wish(quantity=quantity)
        with pytest.raises(refusal):
            await bench.place(request)
        assert (await freed(bench))[-1] == bench.promotions.holds[request.request_id]
    assert len(bench.promotions.freed) == 2


async def test_two_taps_of_one_request_are_one_order_and_one_hold() -> None:
    bench = await opened()
    request = wish()
    first, second = await asyncio.gather(bench.place(request), bench.place(request))
    assert first.order_id == second.order_id
    assert first.promotion == second.promotion
    assert (bench.promotions.asked, await freed(bench)) == (2, [])


async def test_a_repeat_after_a_silent_redis_goes_on_with_its_first_hold() -> None:
    bench = await opened(stock=Moody(DependencyUnavailable("redis")))
    request = wish()
    with pytest.raises(DependencyUnavailable):
        await bench.place(request)
    # Whether it was reserved is not known: a hold given back now could be one that an order has.
    assert await freed(bench) == []
    answer = await bench.place(request)
    assert bench.promotions.holds[request.request_id] == (answer.order_id, 2)


async def test_an_answer_that_was_not_seen_may_have_taken_a_hold() -> None:
    bench = await opened()
    bench.promotions.answer = None
    answer = await bench.place(wish())
    assert answer.promotion.state is PromotionState.UNAVAILABLE
    with pytest.raises(PromotionUnavailable):
        await bench.place(wish(require_promotion=True))
    assert not await bench.unused.free()
    bench.promotions.applies(250)
    assert (await freed(bench))[0] == (answer.order_id, 1)
    assert len(bench.promotions.freed) == 2


async def test_an_order_id_that_is_taken_gets_another_hold() -> None:
    bench = await opened(stock=Moody(ReserveKind.DUPLICATE_ID))
    request = wish()
    answer = await bench.place(request)
    assert bench.promotions.asked == 2
    assert bench.promotions.holds[""] == (answer.order_id, 1)
    assert answer.order_id != bench.promotions.holds[request.request_id][0]
    # What is held under the taken id may be the other order's.
    assert await freed(bench) == []


async def test_a_stale_epoch_asks_again_for_a_hold_that_a_rebuild_may_have_forgotten() -> None:
    bench = await opened(stock=Moody(ReserveKind.STALE_EPOCH))
    request = wish()
    answer = await bench.place(request)
    assert bench.promotions.holds == {request.request_id: (answer.order_id, 2)}
    assert await freed(bench) == []


async def test_a_hold_for_another_slot_is_no_answer() -> None:
    bench = await opened()
    request = wish()
    bench.promotions.holds[request.request_id] = ("0190a0a0-0000-8000-8000-000000000000", 4)
    answer = await bench.place(request)
    assert answer.promotion.state is PromotionState.UNAVAILABLE
    assert await bench.available() == 4


async def test_what_waits_to_be_freed_is_bounded_and_the_oldest_goes() -> None:
    bench = await opened(units=0)
    bench.breaker.force(State.CLOSED)
    bench.promotions.answer = None
    for _ in range(11):
        calls = [bench.place(wish(f"u{number}")) for number in range(1_000)]
        assert {type(each) for each in await asyncio.gather(*calls, return_exceptions=True)} == {SoldOut}
    assert not await bench.unused.free()
    bench.promotions.applies(250)
    assert len(await freed(bench)) == 10_000


async def test_a_hold_that_was_taken_again_is_given_back_by_its_last_take() -> None:
    """The call that took it first may be about to reserve with it, in the other process: promo_svc waits for that."""
    bench = await opened(stock=Moody(DependencyUnavailable("redis"), ReserveKind.LIMIT))
    request = wish()
    with pytest.raises(DependencyUnavailable):
        await bench.place(request)
    with pytest.raises(LimitReached):
        await bench.place(request)
    order_id, take = bench.promotions.holds[request.request_id]
    assert (await freed(bench), take) == ([(order_id, 2)], 2)
