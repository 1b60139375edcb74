"""What is answered to a first call, and what it leaves behind."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from kernel.stock.results import Mark, OfferState, ReserveKind, ReserveRequest, ReserveResult
from meshkit.errors import (
    DeadlinePassed,
    DependencyUnavailable,
    LimitReached,
    OfferNotFound,
    PriceChanged,
    RequestIdReused,
    SaleNotOpen,
    SoldOut,
)
from meshkit.rpc import deadline
from tests.fakes.publisher import Acks
from tests.fakes.stock import FakeStock
from tests.polling import eventually
from tests.unit.checkout_svc.bench import BUDGET, OFFER, PAYABLE_SECONDS, Bench, purchase, request_of


async def test_an_ack_in_time_is_queued_and_the_entry_goes_behind_the_answer() -> None:
    bench = await Bench().open()
    answer = await bench.place(purchase())
    assert answer.queued
    assert answer.deadline_ms == bench.stock.now_ms + PAYABLE_SECONDS * 1000
    assert (await bench.held(answer)).entry_present
    await bench.cleaner.clean()
    held = await bench.held(answer)
    assert (held.entry_present, held.mark) == (False, Mark.NONE)
    [order] = bench.kafka.accepted()
    assert (order.order_id, order.unit_price_minor, order.epoch) == (answer.order_id, 1999, 1)
    assert order.deadline_ms - order.accepted_ms == PAYABLE_SECONDS * 1000


@pytest.mark.parametrize("acks", [Acks.SILENT, Acks.LOST, Acks.REFUSED])
async def test_without_an_ack_it_is_pending_and_marked_before_the_answer(acks: Acks) -> None:
    bench = await Bench().open()
    bench.kafka.acks = acks
    answer = await bench.place(purchase())
    assert not answer.queued
    held = await bench.held(answer)
    assert (held.mark, held.entry_present) == (Mark.PENDING, True)
    assert await bench.available() == 4


async def test_an_ack_past_the_budget_is_not_queued_even_when_it_is_there() -> None:
    bench = await Bench().open()
    bench.start(budget=-1.0)
    answer = await bench.place(purchase())
    assert not answer.queued
    assert await bench.mark(answer) is Mark.PENDING
    assert [order.order_id for order in bench.kafka.accepted()] == [answer.order_id]


async def test_the_budget_runs_from_the_call_and_not_from_the_publication() -> None:
    class SlowStock(FakeStock):
        async def reserve(
            self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
        ) -> list[ReserveResult]:
            late = time.monotonic() + 2 * BUDGET
            await eventually(lambda: time.monotonic() > late)
            return await super().reserve(offer_no, bucket, epoch, requests)

    bench = await Bench(stock=SlowStock()).open()
    answer = await bench.place(purchase())
    assert not answer.queued
    assert await bench.mark(answer) is Mark.PENDING


async def test_a_mark_that_fails_leaves_an_order_that_nobody_cancels() -> None:
    bench = await Bench().open()
    bench.kafka.acks = Acks.REFUSED
    bench.kafka.before = lambda: setattr(bench.stock, "down", True)
    answer = await bench.place(purchase())
    bench.stock.down = False
    assert not answer.queued
    assert await bench.mark(answer) is Mark.NONE
    bench.kafka.acks, bench.kafka.before = Acks.AT_ONCE, lambda: None
    bench.stock.now_ms += 60_000
    await bench.relay.relay_all()
    assert len(bench.kafka.accepted()) == 1
    assert bench.kafka.cancelled() == []


async def test_an_order_that_the_stock_no_longer_knows_is_not_called_queued() -> None:
    bench = await Bench().open()
    bench.kafka.acks = Acks.REFUSED
    bench.kafka.before = bench.stock.lose_everything
    assert not (await bench.place(purchase())).queued


async def test_a_late_ack_stays_pending() -> None:
    bench = await Bench().open()
    bench.kafka.acks = Acks.SILENT
    answer = await bench.place(purchase())
    bench.kafka.wake()
    await bench.cleaner.clean()
    assert not answer.queued
    assert (await bench.held(answer)).entry_present


async def test_an_entry_that_somebody_else_saw_acknowledged_is_queued() -> None:
    bench = await Bench().open()
    bench.kafka.acks = Acks.SILENT
    published = asyncio.Event()
    bench.kafka.before = published.set
    first = asyncio.create_task(bench.place(wish := purchase()))
    await published.wait()
    held = await bench.stock.first_answer(OFFER.offer_no, 0, OFFER.epoch, request_of(wish))
    assert held is not None
    assert await bench.stock.outbox_delete(OFFER.offer_no, 0, OFFER.epoch, [held.entry_id]) == 1
    answer = await first
    assert answer.queued
    assert await bench.mark(answer) is Mark.NONE


async def test_a_caller_who_goes_away_leaves_an_order_for_the_relay() -> None:
    bench = await Bench().open()
    bench.kafka.acks = Acks.SILENT
    published = asyncio.Event()
    bench.kafka.before = published.set
    call = asyncio.create_task(bench.place(purchase()))
    await published.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert bench.kafka.log == []
    bench.kafka.acks = Acks.AT_ONCE
    bench.stock.now_ms += 60_000
    await bench.relay.relay_all()
    assert len(bench.kafka.accepted()) == 1
    assert await bench.stock.outbox_entries(OFFER.offer_no, 0, 0, 10) == []


async def test_what_the_stock_refuses_is_refused_and_leaves_nothing() -> None:
    bench = await Bench().open(units=1)
    with pytest.raises(LimitReached):
        await bench.place(purchase(quantity=3))
    with pytest.raises(SoldOut) as raised:
        await bench.place(purchase(quantity=2))
    assert raised.value.metadata == {"available": "1"}
    with pytest.raises(PriceChanged) as changed:
        await bench.place(purchase(price_version=2))
    assert changed.value.metadata == {"price_version": "1"}
    with pytest.raises(OfferNotFound):
        await bench.place(purchase(sku="other"))
    await bench.stock.set_state(OFFER.offer_no, 0, 1, OfferState.CLOSED)
    with pytest.raises(SaleNotOpen) as closed:
        await bench.place(purchase())
    assert closed.value.metadata["state"] == "CLOSED"
    assert await bench.available() == 1
    assert bench.kafka.log == []


async def test_a_reused_request_id_is_refused() -> None:
    bench = await Bench().open()
    first = purchase()
    await bench.place(first)
    for voucher in ("", "SAVE"):
        with pytest.raises(RequestIdReused):
            await bench.place(replace(first, request_hash="h2", voucher_code=voucher))
    assert await bench.available() == 4


async def test_a_stale_epoch_reads_the_registry_once_and_repeats() -> None:
    bench = Bench()
    newer = replace(OFFER, epoch=2)
    assert await bench.stock.open_offer(newer, 5, 0, 0)
    await bench.offers.refresh()
    bench.registry[OFFER.sale_id, OFFER.sku] = newer
    answer = await bench.place(purchase())
    assert answer.queued
    assert bench.loads == 2
    assert bench.kafka.accepted()[0].epoch == 2


async def test_a_price_that_came_with_the_new_epoch_is_not_sold_at_the_old_version() -> None:
    bench = Bench()
    assert await bench.stock.open_offer(replace(OFFER, epoch=2), 5, 0, 0)
    await bench.offers.refresh()
    bench.registry[OFFER.sale_id, OFFER.sku] = replace(OFFER, epoch=2, price_version=2, price_minor=1)
    with pytest.raises(PriceChanged):
        await bench.place(purchase())
    assert await bench.available() == 5


async def test_a_stock_that_is_lost_fails_closed_and_not_as_not_found() -> None:
    bench = await Bench().open()
    bench.stock.lose_everything()
    bench.registry.clear()
    with pytest.raises(DependencyUnavailable):
        await bench.place(purchase())


async def test_a_silent_redis_is_an_unknown_outcome_and_known_offers_stay() -> None:
    bench = await Bench().open()
    bench.stock.down = True
    with pytest.raises(DependencyUnavailable):
        await bench.place(purchase())
    bench.stock.down = False
    assert (await bench.place(purchase())).queued


async def test_an_order_id_that_exists_is_made_anew() -> None:
    class Crowded(FakeStock):
        def __init__(self, taken: int) -> None:
            super().__init__()
            self.taken = taken

        async def reserve(
            self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
        ) -> list[ReserveResult]:
            if self.taken:
                self.taken -= 1
                return [ReserveResult(ReserveKind.DUPLICATE_ID) for _ in requests]
            return await super().reserve(offer_no, bucket, epoch, requests)

    bench = await Bench(stock=Crowded(1)).open()
    assert (await bench.place(purchase())).queued
    crowded = await Bench(stock=Crowded(3)).open()
    with pytest.raises(DependencyUnavailable):
        await crowded.place(purchase())


async def test_an_error_nobody_thought_of_reaches_every_caller_of_the_window() -> None:
    class Broken(FakeStock):
        async def reserve(
            self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
        ) -> list[ReserveResult]:
            raise KeyError("a bug")

    bench = await Bench(stock=Broken()).open()
    outcomes = await asyncio.gather(*[bench.place(purchase(f"u{n}")) for n in range(3)], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DependencyUnavailable] * 3


async def test_nothing_is_reserved_for_a_buyer_who_waits_no_more() -> None:
    bench = await Bench().open(5)
    bench.promotions.applies(250)

    async def call(**wish: str) -> None:
        deadline.begin({}, 1e-6)
        await bench.place(purchase(**wish))

    for wish in ({}, {"voucher_code": "SAVE"}):
        with pytest.raises(DeadlinePassed):
            await asyncio.create_task(call(**wish))
    assert await bench.available() == 5
    assert bench.kafka.log == []
    assert bench.promotions.asked == 0
