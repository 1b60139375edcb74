"""Promises of StockPort: a bucket that a rebuild loads from the rows."""

from dataclasses import replace

import pytest

from kernel.order_ids import new_order_id
from kernel.stock.restored import RestoredBucket, RestoredOrder
from kernel.stock.results import Mark, MoveKind, OfferState, ReservationState, ReserveKind, ReserveRequest
from meshkit.errors import DependencyUnavailable
from tests.integration.kernel.stock_requests import (
    CONSENT_MS,
    DEADLINE_MS,
    EPOCH,
    OFFER,
    ClockedStock,
    kinds,
    opened,
    request,
    tally,
)

R, S, X = ReservationState.RESERVED, ReservationState.SOLD, ReservationState.RELEASED
NEXT = replace(OFFER, epoch=EPOCH + 1)


def restored(stock: ClockedStock, wish: ReserveRequest, state: ReservationState) -> RestoredOrder:
    return RestoredOrder(
        order_id=wish.order_id,
        state=state,
        user_id=wish.user_id,
        request_id=wish.request_id,
        request_hash=wish.request_hash,
        quantity=wish.quantity,
        price_version=1,
        created_ms=stock.now_ms,
        deadline_ms=stock.now_ms + DEADLINE_MS,
        answer=wish.answer,
    )


def bucket_of(*orders: RestoredOrder, units: int = 5) -> RestoredBucket:
    return RestoredBucket(NEXT, 0, units, 0, 0, orders)


class RestoreSuite:
    """Wiped and loaded under a new epoch."""

    async def test_what_it_holds_is_what_was_loaded_and_nothing_else(self, stock: ClockedStock) -> None:
        await opened(stock, 100)
        await stock.reserve(7, 0, EPOCH, [request("old") for _ in range(2)])
        ann, bob, cid = request("ann", quantity=2, answer="A250"), request("bob"), request("cid")
        orders = [restored(stock, ann, R), restored(stock, bob, S), restored(stock, cid, X)]
        await stock.restore(bucket_of(*orders), stock.now_ms)
        assert await tally(stock) == (2, 2, 1)
        assert [each and each.state for each in await stock.reservations([o.order_id for o in orders])] == [R, S, X]
        counters = await stock.counters(7, 0)
        assert counters is not None
        assert (counters.epoch, counters.state, counters.price_version) == (EPOCH + 1, OfferState.REBUILDING, 1)
        assert await stock.outbox_entries(7, 0, 0, 10) == []

    async def test_it_takes_orders_only_once_it_is_opened(self, stock: ClockedStock) -> None:
        await stock.restore(bucket_of(), stock.now_ms)
        [refused] = await stock.reserve(7, 0, EPOCH + 1, [request()])
        assert refused.kind is ReserveKind.NOT_OPEN
        assert refused.hours is not None
        assert refused.hours.state is OfferState.REBUILDING
        assert await kinds(stock, request()) == [ReserveKind.STALE_EPOCH]
        assert await stock.set_state(7, 0, EPOCH + 1, OfferState.OPEN, only_from=OfferState.REBUILDING)
        assert await kinds(stock, request("ann"), epoch=EPOCH + 1) == [ReserveKind.RESERVED]

    async def test_an_accepted_request_gets_its_order_and_its_answer_again(self, stock: ClockedStock) -> None:
        ann, bob = request("ann", answer="A250"), request("bob", order_id=new_order_id(7, 0))
        await stock.restore(bucket_of(restored(stock, ann, R), restored(stock, bob, X)), stock.now_ms)
        for wish, state, answer in ((ann, R, "A250"), (bob, X, "")):
            again = request(wish.user_id, request_id=wish.request_id)
            [found] = await stock.reserve(7, 0, EPOCH + 1, [again])
            assert (found.kind, found.order_id, found.state) == (ReserveKind.REPLAY, wish.order_id, state)
            assert (found.mark, found.entry_present, found.answer) == (Mark.NONE, False, answer)
        [other] = await stock.reserve(
            7, 0, EPOCH + 1, [request("ann", request_id=ann.request_id, request_hash="another")]
        )
        assert other.kind is ReserveKind.REUSED

    async def test_what_can_be_asked_no_more_has_no_key(self, stock: ClockedStock) -> None:
        ann, bob = request("ann"), request("bob")
        old = replace(restored(stock, ann, S), created_ms=stock.now_ms - 86_400_000)
        nameless = replace(restored(stock, bob, X), request_id="")
        await stock.restore(bucket_of(old, nameless), stock.now_ms)
        for wish in (ann, bob):
            assert await stock.first_answer(7, 0, EPOCH + 1, wish) is None

    async def test_who_was_never_told_queued_is_not_told_so_of_the_key_that_was_left(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        ann = request("ann")
        assert await kinds(stock, ann) == [ReserveKind.RESERVED]
        marked = replace(restored(stock, ann, X), request_id="", mark=Mark.CANCELLING)
        await stock.restore(bucket_of(marked), stock.now_ms)
        found = await stock.first_answer(7, 0, EPOCH + 1, ann)
        assert found is not None
        assert (found.kind, found.order_id, found.mark) == (ReserveKind.REPLAY, ann.order_id, Mark.CANCELLING)
        assert not await stock.clear_pending(EPOCH + 1, ann.order_id)
        assert await stock.trim(EPOCH + 1, [ann.order_id]) == [MoveKind.MOVED]

    async def test_a_limit_still_binds_and_counts_what_was_released_no_more(self, stock: ClockedStock) -> None:
        held, sold, gone = request("ann"), request("ann"), request("bob", quantity=2)
        orders = [restored(stock, held, R), restored(stock, sold, S), restored(stock, gone, X)]
        await stock.restore(bucket_of(*orders), stock.now_ms)
        await stock.set_state(7, 0, EPOCH + 1, OfferState.OPEN)
        asked = await kinds(stock, request("ann"), request("bob", quantity=2), epoch=EPOCH + 1)
        assert asked == [ReserveKind.LIMIT, ReserveKind.RESERVED]

    async def test_reservations_go_on_where_they_were(self, stock: ClockedStock) -> None:
        ann, bob, cid = request("ann"), request("bob"), request("cid")
        await stock.restore(bucket_of(*(restored(stock, wish, R) for wish in (ann, bob, cid))), stock.now_ms)
        # Of an accepted order: nobody may cancel it for want of consent.
        assert not (await stock.mark_pending(EPOCH + 1, ann.order_id)).entry_present
        assert not await stock.start_cancel(EPOCH + 1, ann.order_id, CONSENT_MS)
        assert await stock.confirm(EPOCH + 1, [ann.order_id]) == [MoveKind.MOVED]
        assert await stock.release(EPOCH + 1, [bob.order_id]) == [MoveKind.MOVED]
        assert await stock.give_back(EPOCH + 1, [ann.order_id]) == [MoveKind.MOVED]
        assert await tally(stock) == (4, 1, 0)
        assert await stock.overdue(7, 0, stock.now_ms + DEADLINE_MS, 10) == [cid.order_id]

    async def test_many_orders_and_a_second_load_leave_the_same(self, stock: ClockedStock) -> None:
        orders = [restored(stock, request(f"u{n % 400}"), (R, S, X)[n % 3]) for n in range(1201)]
        for _ in range(2):
            await stock.restore(bucket_of(*orders, units=1000), stock.now_ms)
            assert await tally(stock) == (199, 401, 400)

    async def test_a_row_of_another_bucket_never_loads(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        strayed = restored(stock, request("ann", order_id=new_order_id(7, 1)), R)
        with pytest.raises(ValueError, match="is of offer 7, bucket 1"):
            await stock.restore(bucket_of(strayed), stock.now_ms)
        assert await stock.counters(7, 0) is None

    async def test_more_than_there_is_never_loads(self, stock: ClockedStock) -> None:
        orders = [restored(stock, request("ann", quantity=2), S), restored(stock, request("bob", quantity=2), R)]
        with pytest.raises(DependencyUnavailable):
            await stock.restore(bucket_of(*orders, units=3), stock.now_ms)
        assert await stock.counters(7, 0) is None
        assert await kinds(stock, request(), epoch=EPOCH + 1) == [ReserveKind.STALE_EPOCH]
