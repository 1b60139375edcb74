"""What was forgotten is published, what nobody asks about is cancelled, and nothing is deleted unacknowledged."""

from dataclasses import replace

import pytest

from checkout_svc.purchase import Answer
from checkout_svc.relay import BATCH
from kernel.stock.results import Mark, OfferState
from tests.fakes.publisher import Acks
from tests.unit.checkout_svc.bench import CONSENT_MS, OFFER, Bench, purchase, request_of


async def forgotten(bench: Bench, acks: Acks = Acks.REFUSED, user: str = "ann") -> Answer:
    bench.kafka.acks = acks
    answer = await bench.place(purchase(user))
    bench.kafka.acks = Acks.AT_ONCE
    return answer


async def entries(bench: Bench) -> int:
    return len(await bench.stock.outbox_entries(OFFER.offer_no, 0, 0, 10_000))


async def test_it_leaves_the_young_alone_and_publishes_the_forgotten() -> None:
    bench = await Bench().open()
    answer = await forgotten(bench)
    bench.stock.now_ms += 1_999
    await bench.relay.relay_all()
    assert bench.kafka.log == []
    bench.stock.now_ms += 1
    await bench.relay.relay_all()
    assert [order.order_id for order in bench.kafka.accepted()] == [answer.order_id]
    assert await entries(bench) == 0


@pytest.mark.parametrize("acks", [Acks.REFUSED, Acks.LOST])
async def test_without_an_ack_the_entry_stays(acks: Acks) -> None:
    bench = await Bench().open()
    await forgotten(bench)
    bench.stock.now_ms += 2_000
    bench.kafka.acks = acks
    await bench.relay.relay_all()
    assert await entries(bench) == 1


async def test_a_pending_order_nobody_asks_about_is_cancelled_with_the_whole_order() -> None:
    bench = await Bench().open()
    answer = await forgotten(bench)
    bench.stock.now_ms += CONSENT_MS
    await bench.relay.relay_all()
    [order] = bench.kafka.cancelled()
    assert (order.order_id, order.user_id, order.unit_price_minor) == (answer.order_id, "ann", 1999)
    assert bench.kafka.accepted() == []
    assert await bench.mark(answer) is Mark.CANCELLING
    assert await entries(bench) == 0
    assert await bench.available() == 4  # stock comes back only after order_worker's commit


async def test_a_cancel_without_an_ack_is_published_again_as_a_cancel() -> None:
    bench = await Bench().open()
    await forgotten(bench)
    bench.stock.now_ms += CONSENT_MS
    bench.kafka.acks = Acks.REFUSED
    await bench.relay.relay_all()
    bench.kafka.acks = Acks.AT_ONCE
    await bench.relay.relay_all()
    assert len(bench.kafka.cancelled()) == 1
    assert bench.kafka.accepted() == []


async def test_an_unmarked_order_is_published_however_old() -> None:
    bench = await Bench().open()
    await bench.stock.reserve(OFFER.offer_no, 0, OFFER.epoch, [replace(request_of(purchase()), event=b"")])
    bench.stock.now_ms += 100 * CONSENT_MS
    await bench.relay.relay_all()
    assert len(bench.kafka.log) == 1
    assert bench.kafka.cancelled() == []


async def test_a_closed_offer_and_one_that_left_the_registry_are_still_relayed() -> None:
    bench = await Bench().open()
    await forgotten(bench)
    await bench.stock.set_state(OFFER.offer_no, 0, OFFER.epoch, OfferState.CLOSED)
    bench.registry.clear()
    await bench.offers.refresh()
    bench.stock.now_ms += 2_000
    await bench.relay.relay_all()
    assert len(bench.kafka.accepted()) == 1


async def test_an_order_that_ended_meanwhile_is_a_duplicate_at_worst() -> None:
    bench = await Bench().open()
    answer = await forgotten(bench)
    await bench.stock.confirm(OFFER.epoch, [answer.order_id])
    bench.stock.now_ms += CONSENT_MS
    await bench.relay.relay_all()
    assert bench.kafka.cancelled() == []
    assert await entries(bench) == 0


async def test_with_a_stale_epoch_nothing_is_deleted_and_no_cancel_turns_into_an_order() -> None:
    bench = await Bench().open()
    answer = await forgotten(bench)
    bench.stock.now_ms += CONSENT_MS
    assert await bench.stock.start_cancel(OFFER.epoch, answer.order_id, CONSENT_MS)
    bench.registry[OFFER.sale_id, OFFER.sku] = replace(OFFER, epoch=2)
    await bench.offers.refresh()
    await bench.relay.relay_all()
    assert bench.kafka.log == []
    assert await entries(bench) == 1


async def test_one_relay_a_slot_until_its_lease_ends() -> None:
    bench = await Bench().open()
    other = Bench(bench.stock, bench.kafka)
    await other.offers.refresh()
    await forgotten(bench)
    bench.stock.now_ms += 2_000
    bench.kafka.acks = Acks.REFUSED
    await bench.relay.relay_all()
    bench.kafka.acks = Acks.AT_ONCE
    await other.relay.relay_all()
    assert bench.kafka.log == []
    bench.stock.now_ms += 10_000
    await other.relay.relay_all()
    assert len(bench.kafka.accepted()) == 1


async def test_a_pass_goes_on_batch_by_batch_until_the_slot_is_empty() -> None:
    bench = await Bench().open(units=3 * BATCH)
    wishes = [replace(request_of(purchase(f"u{n}")), event=b"") for n in range(2 * BATCH + 1)]
    await bench.stock.reserve(OFFER.offer_no, 0, OFFER.epoch, wishes)
    bench.stock.now_ms += 2_000
    await bench.relay.relay_all()
    assert len(bench.kafka.log) == 2 * BATCH + 1
    assert await entries(bench) == 0
