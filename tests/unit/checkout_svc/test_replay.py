"""The same request again: QUEUED only where no cancel can follow."""

import asyncio
from dataclasses import replace

import pytest

from checkout_svc.purchase import Answer, Purchase
from kernel.stock.restored import RestoredBucket, RestoredOrder
from kernel.stock.results import Mark, OfferState, ReservationState
from meshkit.errors import PriceChanged
from tests.fakes.publisher import Acks
from tests.unit.checkout_svc.bench import CONSENT_MS, OFFER, Bench, purchase

X = ReservationState.RELEASED


async def pending(bench: Bench) -> tuple[Purchase, Answer]:
    """A tap that Kafka did not acknowledge, its order marked."""
    bench.kafka.acks = Acks.REFUSED
    wish = purchase()
    answer = await bench.place(wish)
    assert not answer.queued
    bench.kafka.acks = Acks.AT_ONCE
    return wish, answer


async def cancelling(bench: Bench, answer: Answer) -> None:
    bench.stock.now_ms += CONSENT_MS
    assert await bench.stock.start_cancel(OFFER.epoch, answer.order_id, CONSENT_MS)


async def test_once_the_entry_is_gone_the_first_answer_comes_again_and_nothing_is_published() -> None:
    bench = await Bench().open()
    wish = purchase()
    first = await bench.place(wish)
    await bench.cleaner.clean()
    assert await bench.place(wish) == first
    await bench.stock.confirm(OFFER.epoch, [first.order_id])
    assert await bench.place(wish) == first
    assert len(bench.kafka.log) == 1
    assert await bench.available() == 4


async def test_with_the_entry_there_an_ack_makes_it_queued_for_good() -> None:
    bench = await Bench().open()
    wish, answer = await pending(bench)
    again = await bench.place(wish)
    assert (again.order_id, again.queued, again.deadline_ms) == (answer.order_id, True, answer.deadline_ms)
    held = await bench.held(answer)
    assert (held.mark, held.entry_present) == (Mark.NONE, False)
    bench.stock.now_ms += 10 * CONSENT_MS
    await bench.relay.relay_all()
    assert bench.kafka.cancelled() == []


@pytest.mark.parametrize("acks", [Acks.REFUSED, Acks.LOST, Acks.SILENT])
async def test_with_the_entry_there_and_no_ack_it_stays_pending_and_counts_as_asked(acks: Acks) -> None:
    bench = await Bench().open()
    wish, answer = await pending(bench)
    bench.kafka.acks = acks
    bench.stock.now_ms += CONSENT_MS - 1
    assert not (await bench.place(wish)).queued
    bench.stock.now_ms += CONSENT_MS - 1
    assert not await bench.stock.start_cancel(OFFER.epoch, answer.order_id, CONSENT_MS)


async def test_a_retry_never_marks_what_the_first_call_may_have_answered() -> None:
    bench = await Bench().open()
    wish = purchase()
    first = await bench.place(wish)
    bench.start()  # killed before its cleaner ran
    await bench.offers.refresh()
    bench.kafka.acks = Acks.REFUSED
    assert not (await bench.place(wish)).queued
    assert await bench.mark(first) is Mark.NONE
    bench.kafka.acks = Acks.AT_ONCE
    bench.stock.now_ms += 10 * CONSENT_MS
    await bench.relay.relay_all()
    assert first.queued
    assert bench.kafka.cancelled() == []


async def test_once_a_cancel_has_begun_it_is_never_queued() -> None:
    bench = await Bench().open()
    wish, answer = await pending(bench)
    await cancelling(bench, answer)
    assert not (await bench.place(wish)).queued
    await bench.stock.outbox_delete(OFFER.offer_no, 0, OFFER.epoch, [(await bench.held(answer)).entry_id])
    assert not (await bench.place(wish)).queued
    assert bench.kafka.accepted() == []


async def test_a_cancel_that_begins_while_a_retry_publishes_wins() -> None:
    bench = await Bench().open()
    wish, answer = await pending(bench)
    bench.kafka.acks = Acks.SILENT
    bench.start(budget=30.0)
    await bench.offers.refresh()
    published = asyncio.Event()
    bench.kafka.before = published.set
    retry = asyncio.create_task(bench.place(wish))
    await published.wait()
    await cancelling(bench, answer)  # this process slept that long
    bench.kafka.wake()
    assert not (await retry).queued


async def test_a_retry_is_told_what_the_first_call_was_told_whatever_became_of_the_order() -> None:
    bench = await Bench().open()
    wish = purchase()
    first = await bench.place(wish)
    await bench.cleaner.clean()
    await bench.stock.release(OFFER.epoch, [first.order_id])
    again = await bench.place(wish)
    assert again == first
    assert again.queued


async def test_an_order_cancelled_for_want_of_consent_is_never_called_queued() -> None:
    bench = await Bench().open()
    wish, first = await pending(bench)
    await cancelling(bench, first)
    await bench.stock.release(OFFER.epoch, [first.order_id])
    again = await bench.place(wish)
    assert (again.order_id, again.queued) == (first.order_id, False)


async def test_an_entry_deleted_between_the_two_reads_counts_as_acknowledged() -> None:
    bench = await Bench().open()
    wish = purchase()
    first = await bench.place(wish)

    async def gone(order_id: str) -> None:
        await bench.cleaner.clean()

    bench.stock.outbox_entry = gone  # type: ignore[method-assign]
    assert (await bench.place(wish)).queued
    assert len(bench.kafka.log) == 1
    assert not (await bench.held(first)).entry_present


async def test_a_double_tap_in_one_window_is_one_order() -> None:
    bench = await Bench().open(units=1)
    wish = purchase()
    one, two = await asyncio.gather(bench.place(wish), bench.place(wish))
    assert one == two
    assert one.queued
    assert await bench.available() == 0


async def test_an_accepted_order_is_answered_after_its_price_has_changed() -> None:
    bench = await Bench().open()
    wish = purchase()
    first = await bench.place(wish)
    bench.registry[OFFER.sale_id, OFFER.sku] = type(OFFER)(7, "sale-1", "sku-1", 5, "EUR", 2, 250, 1, 1, 2)
    await bench.offers.refresh()
    assert await bench.place(wish) == first
    with pytest.raises(PriceChanged):
        await bench.place(purchase())


async def test_a_key_that_outlived_a_rebuild_does_not_make_a_cancelled_order_queued() -> None:
    bench = await Bench().open()
    wish, answer = await pending(bench)
    bench.stock.now_ms += CONSENT_MS
    await bench.relay.relay_all()
    assert len(bench.kafka.cancelled()) == 1
    # As its row says it: without a request_id, since nobody was told QUEUED.
    row = RestoredOrder(answer.order_id, X, wish.user_id, "", "h1", 1, 1, 1, 0, mark=Mark.CANCELLING)
    newer = replace(OFFER, epoch=OFFER.epoch + 1)
    await bench.stock.restore(RestoredBucket(newer, 0, 5, 0, 0, [row]), bench.stock.now_ms)
    await bench.stock.set_state(OFFER.offer_no, 0, newer.epoch, OfferState.OPEN)
    bench.registry[OFFER.sale_id, OFFER.sku] = newer
    await bench.offers.refresh()
    again = await bench.place(wish)
    assert (again.order_id, again.queued) == (answer.order_id, False)
