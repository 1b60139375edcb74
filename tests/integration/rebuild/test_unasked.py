"""Orders cancelled because their buyers never learned of them: no rebuild makes them QUEUED; who asks again may buy."""

import pytest

from kernel.stock.results import Mark, ReservationState, ReserveKind
from tests.integration.rebuild.loss import Loss, again


@pytest.mark.parametrize("after_its_row", [False, True])
async def test_a_retry_that_its_key_leads_to_it_is_told_what_it_was_before(loss: Loss, after_its_row: bool) -> None:
    """The keys outlive the wipe of a Redis that was whole."""
    old = await loss.open(units=5)
    order = await loss.cancelled_unasked(old, after_its_row=after_its_row)
    before = await loss.reserve(old, again(order))
    await loss.rebuild(old.sale_id)
    offer = await loss.offer(old.sale_id, old.sku)
    after = await loss.reserve(offer, again(order))
    for answer in (before, after):
        assert (answer.kind, answer.order_id) == (ReserveKind.REPLAY, order.order_id)
        assert (answer.state, answer.mark) == (ReservationState.RELEASED, Mark.CANCELLING)
    assert await loss.stands(offer) == (5, 0, 0)
    await loss.assert_holds(offer)


async def test_an_order_that_was_in_the_queue_and_that_its_buyer_cancelled_is_told_so_again(loss: Loss) -> None:
    old = await loss.open(units=9)
    order = (await loss.every_state(old))["CANCELLED"]
    before = await loss.reserve(old, again(order))
    await loss.rebuild(old.sale_id)
    after = await loss.reserve(await loss.offer(old.sale_id, old.sku), again(order))
    for answer in (before, after):
        assert (answer.kind, answer.order_id) == (ReserveKind.REPLAY, order.order_id)
        assert (answer.state, answer.mark, answer.entry_present) == (ReservationState.RELEASED, Mark.NONE, False)


@pytest.mark.parametrize("after_its_row", [False, True])
async def test_a_retry_that_no_key_leads_to_it_is_an_order_that_stands(loss: Loss, after_its_row: bool) -> None:
    old = await loss.open(units=5)
    order = await loss.cancelled_unasked(old, after_its_row=after_its_row)
    await loss.empty_redis()
    await loss.rebuild(old.sale_id)
    offer = await loss.offer(old.sale_id, old.sku)
    retry = again(order)
    retry.epoch = offer.epoch
    assert (await loss.reserve(offer, retry)).kind is ReserveKind.RESERVED
    await loss.world.send([retry])
    await loss.written([retry])
    assert await loss.world.states([order, retry]) == ["CANCELLED", "CREATED"]


async def test_an_older_copy_that_never_heard_of_it_takes_its_retry(loss: Loss) -> None:
    """Before anybody rebuilds: acknowledged by Kafka, so QUEUED, so it must stand."""
    old = await loss.open(units=5)
    await loss.copy_redis()
    order = await loss.cancelled_unasked(old)
    await loss.promote_copy()
    retry = again(order)
    assert (await loss.reserve(old, retry)).kind is ReserveKind.RESERVED
    await loss.world.send([retry])
    await loss.written([retry])
    assert await loss.world.states([order, retry]) == ["CANCELLED", "CREATED"]
