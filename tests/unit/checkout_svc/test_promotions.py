"""The voucher: what it takes off, what is answered without it, and the same answer to every retry."""

from typing import Any

import pytest
from grpc.aio import Metadata

from checkout_svc.purchase import Promotion, PromotionState, refused
from meshkit.errors import PromotionRefused, PromotionUnavailable
from meshkit.rpc.status import STATUS_KEY
from tests.fakes.publisher import Acks
from tests.unit.checkout_svc.bench import OFFER, Bench, purchase

APPLIED, REFUSED, UNAVAILABLE = PromotionState.APPLIED, PromotionState.REFUSED, PromotionState.UNAVAILABLE


def wish(required: bool, **changes: Any) -> Any:
    return purchase(voucher_code="SAVE", require_promotion=required, **changes)


@pytest.mark.parametrize("required", [False, True])
async def test_a_discount_is_told_and_goes_with_the_order(required: bool) -> None:
    bench = await Bench().open()
    bench.promotions.applies(250)
    answer = await bench.place(wish(required))
    assert answer.promotion == Promotion(APPLIED, 250)
    [order] = bench.kafka.accepted()
    assert (order.discount_minor, order.voucher_code) == (250, "SAVE")


@pytest.mark.parametrize(("told", "granted"), [(5_000, 2 * 1999), (-1, 0)])
async def test_a_discount_is_never_more_than_the_goods_nor_less_than_nothing(told: int, granted: int) -> None:
    bench = await Bench().open()
    bench.promotions.applies(told)
    answer = await bench.place(wish(False, quantity=2))
    assert answer.promotion == Promotion(APPLIED, granted)


async def test_a_refused_voucher_sells_at_list_price_or_not_at_all() -> None:
    bench = await Bench().open()
    bench.promotions.refuses("the voucher has expired")
    answer = await bench.place(wish(False))
    assert answer.promotion == Promotion(REFUSED, 0, "the voucher has expired")
    with pytest.raises(PromotionRefused, match="expired"):
        await bench.place(wish(True))
    assert await bench.available() == 4
    assert bench.kafka.accepted()[0].voucher_code == ""


@pytest.mark.parametrize("currency", ["", "USD"])
async def test_without_an_answer_the_list_price_holds_or_nothing_is_sold(currency: str) -> None:
    bench = await Bench().open()
    if currency:
        bench.promotions.applies(250, currency)
    answer = await bench.place(wish(False))
    assert (answer.promotion.state, answer.promotion.discount_minor) == (UNAVAILABLE, 0)
    with pytest.raises(PromotionUnavailable):
        await bench.place(wish(True))
    assert await bench.available() == 4


async def test_of_words_nobody_can_read_the_list_price_holds_and_what_waits_is_freed_later() -> None:
    bench = await Bench().open()
    bench.promotions.trailers = Metadata((STATUS_KEY, b"\xff\xff"))
    answer = await bench.place(wish(False))
    assert answer.promotion.state is UNAVAILABLE
    assert not await bench.unused.free()
    bench.promotions.applies(250)
    assert await bench.unused.free()
    assert bench.promotions.freed == [(answer.order_id, 1)]


@pytest.mark.parametrize("required", [False, True])
async def test_a_retry_gets_the_first_outcome_whatever_promotions_say_now(required: bool) -> None:
    bench = await Bench().open()
    bench.promotions.applies(250)
    request = wish(required)
    first = await bench.place(request)
    bench.promotions.applies(999)
    assert await bench.place(request) == first
    bench.promotions.refuses("no")
    assert await bench.place(request) == first
    bench.promotions.answer = None
    await bench.cleaner.clean()
    await bench.stock.confirm(OFFER.epoch, [first.order_id])
    assert await bench.place(request) == first
    assert bench.promotions.asked == 1


async def test_a_refusal_is_replayed_in_its_first_words() -> None:
    bench = await Bench().open()
    bench.promotions.refuses("a|b\n" + "long " * 40)
    request = wish(False)
    first = await bench.place(request)
    bench.promotions.applies(250)
    assert await bench.place(request) == first
    assert first.promotion.reason.startswith("a b long")


async def test_a_pending_order_keeps_its_discount() -> None:
    bench = await Bench().open()
    bench.promotions.applies(250)
    bench.kafka.acks = Acks.REFUSED
    request = wish(True)
    first = await bench.place(request)
    bench.kafka.acks, bench.promotions.answer = Acks.AT_ONCE, None
    again = await bench.place(request)
    assert (first.queued, again.queued) == (False, True)
    assert again.promotion == first.promotion == Promotion(APPLIED, 250)
    assert bench.kafka.accepted()[0].discount_minor == 250


async def test_without_a_voucher_promotions_are_not_asked() -> None:
    bench = await Bench().open()
    await bench.place(purchase())
    assert bench.promotions.asked == 0


@pytest.mark.parametrize(
    "outcome", [Promotion(), Promotion(APPLIED, 10**12), refused("zu früh | x"), Promotion(UNAVAILABLE, 0, "away")]
)
def test_an_outcome_comes_back_from_its_text(outcome: Promotion) -> None:
    assert Promotion.parse(outcome.text()) == outcome
    assert len(outcome.text()) <= 80
