"""Redis loses its stock, or comes back older: a rebuild leads to what the database says; nothing is sold twice."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from governor.load_offer import LoadOffer
from governor.sale_stock import SaleStock
from kernel.offers import Offer
from kernel.stock import keys
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.restored import RestoredBucket
from kernel.stock.results import OfferState, ReservationState, ReserveKind
from meshkit.clock import wall_ms
from meshkit.errors import IllegalState, InvalidFields, RequestIdReused, SaleNotFound
from peakmesh.event.v1.events_pb2 import AcceptedOrder
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.governor.operators import closing
from tests.integration.order_worker.world import accepted, people
from tests.integration.rebuild.loss import FAILED, PAID, REFUNDED, SETTLED, Loss, again, rebuilding
from tools import devstack

R, S, X = ReservationState.RESERVED, ReservationState.SOLD, ReservationState.RELEASED


async def test_an_emptied_redis_gets_the_databases_stock(loss: Loss) -> None:
    old = await loss.open(units=20, limit=2)
    placed = await loss.every_state(old)
    # Told QUEUED, and still in Kafka when Redis dies.
    await asyncio.to_thread(devstack.stop_process, "order_worker", loss.mesh)
    queued = await loss.accept(old, people(3), quantity=2)
    # Reserved, and in no outbox that survives: nobody was told QUEUED.
    unknown = accepted(old, "nobody")
    assert (await loss.reserve(old, unknown)).kind is ReserveKind.RESERVED
    await loss.lose_redis()
    # An epoch that is not there sells nothing.
    assert (await loss.reserve(old, accepted(old, "early"))).kind is ReserveKind.STALE_EPOCH
    assert (await loss.desk.sale(old.sale_id)).offers[0].redis_lost
    request = rebuilding()
    waiting = await loss.desk.ask("RebuildStock", request)
    assert (waiting.phase, waiting.markers_passed) == (pb.REBUILD_PHASE_CONSUMING, 0)
    await asyncio.to_thread(devstack.start_process, "order_worker", loss.mesh)
    await loss.rebuild(request=request)
    offer = await loss.offer(old.sale_id, old.sku)
    assert offer.epoch > old.epoch
    assert not (await loss.desk.sale(old.sale_id)).offers[0].redis_lost
    # CREATED and the three queued of two units; PAID and TO_SHIP; the rest is free again.
    assert await loss.stands(offer) == (20 - 7 - 2, 7, 2)
    ids = [order.order_id for order in placed.values()]
    assert [each and each.state for each in await loss.desk.stock.reservations(ids)] == [R, S, S, X, X, X, X]
    assert await loss.desk.stock.reservation(unknown.order_id) is None
    await loss.assert_holds(offer)
    await retries_get_their_orders(loss, offer, [*placed.values(), *queued])
    await sells_to_the_last_unit(loss, offer, queued[0], left=11)
    await late_records_are_refused(loss, old, offer)


async def retries_get_their_orders(loss: Loss, offer: Offer, orders: list[AcceptedOrder]) -> None:
    for order in orders:
        answer = await loss.reserve(offer, again(order))
        assert (answer.kind, answer.order_id) == (ReserveKind.REPLAY, order.order_id)
        # The words are QUEUED, as before: it is in no outbox.
        assert not answer.entry_present


async def sells_to_the_last_unit(loss: Loss, offer: Offer, holder: AcceptedOrder, left: int) -> None:
    greedy = await loss.reserve(offer, accepted(offer, holder.user_id))
    assert greedy.kind is ReserveKind.LIMIT
    more = await loss.accept(offer, people(left))
    assert (await loss.reserve(offer, accepted(offer, "late"))).kind is ReserveKind.SOLD_OUT
    await loss.written(more)
    assert set(await loss.world.states(more)) == {"CREATED"}
    assert (await loss.stands(offer))[0] == 0
    await loss.assert_holds(offer)


async def late_records_are_refused(loss: Loss, old: Offer, offer: Offer) -> None:
    """An answer that Kafka gave nobody in time: its record comes after the marker."""
    late = accepted(old, "late")
    await loss.world.send([late])
    await loss.written([late])
    assert await loss.world.states([late]) == ["REJECTED_STALE_EPOCH"]
    await loss.assert_holds(offer)


async def test_an_older_copy_that_keeps_the_epoch_is_led_to_the_truth(loss: Loss) -> None:
    old = await loss.open(units=10, limit=1)
    before = await loss.accept(old, people(3))
    await loss.written(before)
    await loss.copy_redis()
    after = await loss.accept(old, people(5))
    await loss.written(after)
    await loss.promote_copy()
    assert await loss.desk.stock.counters(old.offer_no, 0) is not None
    # It sells what was sold: the database refuses what is over, and who has his unit gets no other.
    twice = await loss.accept(old, [after[0].user_id, *people(4)])
    await loss.written(twice)
    first, *others = await loss.world.states(twice)
    assert first == "REJECTED_LIMIT"
    assert Counter(others) == {"CREATED": 2, "REJECTED_OVERSOLD": 2}
    await loss.rebuild(old.sale_id)
    offer = await loss.offer(old.sale_id, old.sku)
    assert await loss.stands(offer) == (0, 10, 0)
    assert (await loss.reserve(offer, accepted(offer, "late"))).kind is ReserveKind.SOLD_OUT
    await retries_get_their_orders(loss, offer, [*before, *after])
    await loss.assert_holds(offer)


async def test_an_outbox_that_survived_is_drained_first(loss: Loss) -> None:
    old = await loss.open(units=10)
    order = accepted(old, "ana")
    reserved = await loss.reserve(old, order)
    request = rebuilding(old.sale_id)
    answer = await loss.desk.ask("RebuildStock", request)
    assert (answer.phase, answer.outbox) == (pb.REBUILD_PHASE_DRAINING, 1)
    counters = await loss.desk.stock.counters(old.offer_no, 0)
    assert counters is not None
    assert (counters.state, counters.epoch) == (OfferState.REBUILDING, old.epoch)
    # What checkout's relay does.
    await loss.world.send([order])
    await loss.desk.stock.outbox_delete(old.offer_no, 0, old.epoch, [reserved.entry_id])
    await loss.rebuild(request=request)
    assert await loss.world.states([order]) == ["CREATED"]
    assert await loss.stands(old) == (9, 1, 0)


async def test_the_stock_of_an_older_build_is_refused_until_it_is_rebuilt(loss: Loss) -> None:
    old = await loss.open(units=10)
    placed = await loss.accept(old, people(4))
    await loss.written(placed)
    slot, redis = (old.offer_no, 0), loss.desk.redis
    for name, former in zip(keys.all_of(*slot), keys.former(*slot), strict=True):
        await redis.rename(name, former)
    await redis.delete(*(keys.idempotency(*slot, each.user_id, each.request_id) for each in placed))
    assert (await loss.reserve(old, accepted(old, "early"))).kind is ReserveKind.STALE_EPOCH
    assert (await loss.desk.sale(old.sale_id)).offers[0].redis_lost
    await loss.rebuild(old.sale_id)
    assert await loss.stands(old) == (6, 4, 0)
    await retries_get_their_orders(loss, await loss.offer(old.sale_id, old.sku), placed)
    assert await redis.exists(*keys.former(*slot)) == 0


async def test_one_sale_is_rebuilt_while_another_goes_on(loss: Loss) -> None:
    lost, other = await loss.open(units=5), await loss.open(units=5)
    await loss.rebuild(lost.sale_id)
    placed = await loss.accept(other, people(5))
    await loss.written(placed)
    assert set(await loss.world.states(placed)) == {"CREATED"}
    assert (await loss.offer(other.sale_id, other.sku)).epoch == other.epoch
    assert await loss.stands(other) == (0, 5, 0)


async def test_a_sale_is_what_its_operator_made_it_meanwhile(loss: Loss) -> None:
    paused, closed = await loss.open(units=5), await loss.open(units=5)
    pause = pb.PauseSaleRequest(request_id=rebuilding().request_id, sale_id=paused.sale_id)
    await loss.desk.ask("PauseSale", pause)
    await loss.desk.ask("CloseSale", closing(await loss.desk.sale(closed.sale_id)))
    await loss.empty_redis()
    await loss.rebuild()
    for old, state in ((paused, OfferState.PAUSED), (closed, OfferState.CLOSED)):
        counters = await loss.desk.stock.counters(old.offer_no, 0)
        assert counters is not None
        assert (counters.state, counters.available) == (state, 5)


async def test_counters_that_are_not_the_sums_of_the_rows_are_not_loaded(loss: Loss) -> None:
    old = await loss.open(units=5)
    await loss.written(await loss.accept(old, people(1)))
    await loss.desk.change("UPDATE offer SET sold = 1 WHERE offer_no = :n", n=old.offer_no)
    request = rebuilding(old.sale_id)
    with pytest.raises(IllegalState, match=r"\(1, 1\) in SQL, and by its rows \(1, 0\)"):
        await loss.rebuild(request=request)
    assert (await loss.reserve(old, accepted(old, "bob"))).kind is ReserveKind.NOT_OPEN
    await loss.desk.change("UPDATE offer SET sold = 0 WHERE offer_no = :n", n=old.offer_no)
    await loss.rebuild(request=request)
    assert await loss.stands(old) == (4, 1, 0)


class Overtaken(RedisStock):
    """Something happens between the loading and the new epoch."""

    async def restore(self, bucket: RestoredBucket, now_ms: int) -> None:
        await super().restore(bucket, now_ms)
        await self.meanwhile()

    meanwhile: Callable[[], Awaitable[None]]


async def test_rows_that_move_while_they_are_loaded_are_followed(loss: Loss) -> None:
    """The effects of the older epoch are refused: the reservation is what the row says, at once all the same."""
    old = await loss.open(units=5)
    paid, failed, refunded, still = placed = await loss.accept(old, people(4))
    await loss.written(placed)
    await loss.results([(refunded, PAID), (refunded, SETTLED)])

    async def move() -> None:
        standings = await loss.results([(paid, PAID), (failed, FAILED), (refunded, REFUNDED)])
        assert {each.epoch for each in standings} == {old.epoch}

    stock = Overtaken(loss.desk.redis)
    stock.meanwhile = move
    load = LoadOffer(loss.desk.engine, stock, SaleStock(loss.desk.redis, stock))
    await load(old.offer_no, old.epoch + 1)
    states = [each and each.state for each in await stock.reservations([order.order_id for order in placed])]
    assert states == [S, X, X, R]
    assert await loss.stands(old) == (3, 1, 1)
    assert still.order_id in await stock.overdue(old.offer_no, 0, 2**52, 10)


async def test_what_is_asked_badly_is_told(loss: Loss) -> None:
    with pytest.raises(SaleNotFound):
        await loss.desk.ask("RebuildStock", rebuilding("sale-none"))
    both, nothing = rebuilding("sale-none"), pb.RebuildStockRequest()
    both.all_sales = True
    with pytest.raises(InvalidFields, match="all_sales"):
        await loss.desk.ask("RebuildStock", both)
    with pytest.raises(InvalidFields, match=r"request_id.*sale_id.*reason"):
        await loss.desk.ask("RebuildStock", nothing)
    sale = await loss.open(units=1)
    request = rebuilding(sale.sale_id)
    await loss.rebuild(request=request)
    other = rebuilding(sale.sale_id)
    other.request_id, other.reason = request.request_id, "another"
    with pytest.raises(RequestIdReused):
        await loss.desk.ask("RebuildStock", other)
    journalled = await loss.desk.rows("SELECT at_ms, who FROM ops_request WHERE request_id = :i", i=request.request_id)
    assert [row.who for row in journalled] == ["olga"]
    assert journalled[0].at_ms <= wall_ms()
