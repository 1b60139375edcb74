"""Promises of StockPort: reserving, one by one and in batches."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

from kernel.order_ids import new_order_id
from kernel.stock.results import Hours, Mark, MoveKind, OfferState, ReservationState, ReserveBatch, ReserveKind
from tests.integration.kernel.stock_requests import (
    DEADLINE_MS,
    EPOCH,
    OFFER,
    ClockedStock,
    kinds,
    opened,
    request,
    tally,
)


class ReserveSuite:
    """Accepting and refusing."""

    async def test_a_reservation_takes_stock_and_leaves_an_outbox_entry(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        wish = request(quantity=2)
        [result] = await stock.reserve(7, 0, EPOCH, [wish])
        assert result.kind is ReserveKind.RESERVED
        assert result.deadline_ms == stock.now_ms + DEADLINE_MS
        assert await tally(stock) == (3, 2, 0)
        found = await stock.reservation(wish.order_id)
        assert found is not None
        assert (found.state, found.quantity, found.user_id) == (ReservationState.RESERVED, 2, "ann")
        assert (found.mark, found.entry_id, found.entry_present) == (Mark.NONE, result.entry_id, True)
        assert (found.created_ms, found.deadline_ms, found.epoch) == (stock.now_ms, result.deadline_ms, EPOCH)
        entry = await stock.outbox_entry(wish.order_id)
        assert entry is not None
        assert (entry.entry_id, entry.order_id, entry.event) == (result.entry_id, wish.order_id, wish.event)

    async def test_the_same_request_again_gets_the_first_order(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        first = request()
        [reserved] = await stock.reserve(7, 0, EPOCH, [first])
        again = request(request_id=first.request_id)
        [replay] = await stock.reserve(7, 0, EPOCH, [again])
        assert replay.kind is ReserveKind.REPLAY
        assert (replay.order_id, replay.entry_id) == (first.order_id, reserved.entry_id)
        assert (replay.deadline_ms, replay.entry_present) == (reserved.deadline_ms, True)
        assert await tally(stock) == (4, 1, 0)

    async def test_the_scope_of_a_request_id_is_the_user(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        one = request("ann")
        assert await kinds(stock, one, request("bob", request_id=one.request_id)) == [ReserveKind.RESERVED] * 2

    async def test_another_body_under_the_same_request_id_is_refused(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        first = request()
        assert await kinds(stock, first) == [ReserveKind.RESERVED]
        assert await kinds(stock, request(request_id=first.request_id, request_hash="h2")) == [ReserveKind.REUSED]
        assert await tally(stock) == (4, 1, 0)

    async def test_idempotency_comes_before_every_refusal(self, stock: ClockedStock) -> None:
        await opened(stock, 1, limit=1)
        first = request()
        assert await kinds(stock, first) == [ReserveKind.RESERVED]
        await stock.set_state(7, 0, EPOCH, OfferState.CLOSED)
        assert await kinds(stock, first) == [ReserveKind.REPLAY]
        assert await kinds(stock, first, epoch=EPOCH + 1) == [ReserveKind.REPLAY]

    async def test_refusals_come_in_their_order_and_leave_nothing(self, stock: ClockedStock) -> None:
        await opened(stock, 1, limit=2)
        wrong_all = request(quantity=3, price_version=9)
        assert await kinds(stock, wrong_all, epoch=2) == [ReserveKind.STALE_EPOCH]
        await stock.set_state(7, 0, EPOCH, OfferState.CLOSED)
        assert await kinds(stock, wrong_all) == [ReserveKind.NOT_OPEN]
        await stock.set_state(7, 0, EPOCH, OfferState.OPEN)
        [changed] = await stock.reserve(7, 0, EPOCH, [wrong_all])
        assert (changed.kind, changed.price_version) == (ReserveKind.PRICE_CHANGED, 1)
        assert await kinds(stock, request(quantity=3)) == [ReserveKind.LIMIT]
        [sold_out] = await stock.reserve(7, 0, EPOCH, [request(quantity=2)])
        assert (sold_out.kind, sold_out.available) == (ReserveKind.SOLD_OUT, 1)
        assert await tally(stock) == (1, 0, 0)
        assert await stock.reservation(wrong_all.order_id) is None

    async def test_a_refused_request_may_try_again(self, stock: ClockedStock) -> None:
        await opened(stock, 1)
        wish = request(quantity=2)
        assert await kinds(stock, wish) == [ReserveKind.SOLD_OUT]
        await stock.set_initial(7, 0, EPOCH, 2)
        assert await kinds(stock, wish) == [ReserveKind.RESERVED]

    async def test_opening_hours(self, stock: ClockedStock) -> None:
        opens, closes = stock.now_ms + 1000, stock.now_ms + 2000
        assert await stock.open_offer(OFFER, 5, opens, closes)
        outcomes = []
        for now in (opens - 1, opens, closes - 1, closes):
            stock.now_ms = now
            outcomes += await kinds(stock, request(f"user-{now}"))
        reserved, not_open = ReserveKind.RESERVED, ReserveKind.NOT_OPEN
        assert outcomes == [not_open, reserved, reserved, not_open]

    async def test_who_comes_too_early_or_too_late_is_told_the_hours(self, stock: ClockedStock) -> None:
        opens, closes = stock.now_ms + 1000, stock.now_ms + 5000
        assert await stock.open_offer(OFFER, 5, opens, closes)
        wish, told = request(), []
        for now, state in ((opens - 1000, OfferState.OPEN), (closes - 1, OfferState.PAUSED), (closes, OfferState.OPEN)):
            stock.now_ms = now
            await stock.set_state(7, 0, EPOCH, state)
            [result] = await stock.reserve(7, 0, EPOCH, [wish])
            told.append((result.kind, result.hours))
        assert told == [
            (ReserveKind.NOT_OPEN, Hours(OfferState.OPEN, opens, closes, opens - 1000)),
            (ReserveKind.NOT_OPEN, Hours(OfferState.PAUSED, opens, closes, closes - 1)),
            (ReserveKind.NOT_OPEN, Hours(OfferState.OPEN, opens, closes, closes)),
        ]
        assert await tally(stock) == (5, 0, 0)

    async def test_a_replay_is_answered_when_the_sale_is_over_and_a_new_tap_is_not(self, stock: ClockedStock) -> None:
        opens, closes = stock.now_ms, stock.now_ms + 1000
        assert await stock.open_offer(OFFER, 5, opens, closes)
        early, late = request("ann"), request("bob")
        assert await kinds(stock, early) == [ReserveKind.RESERVED]
        stock.now_ms = closes + 1000
        assert await kinds(stock, early, late, early) == [ReserveKind.REPLAY, ReserveKind.NOT_OPEN, ReserveKind.REPLAY]
        other_body = request("ann", request_id=early.request_id, request_hash="h2")
        assert await kinds(stock, other_body) == [ReserveKind.REUSED]
        assert await tally(stock) == (4, 1, 0)

    async def test_no_stock_at_all_fails_closed(self, stock: ClockedStock) -> None:
        assert await kinds(stock, request()) == [ReserveKind.STALE_EPOCH]
        assert await stock.counters(7, 0) is None
        assert await stock.snapshot(7, 0) is None

    async def test_an_order_id_is_used_once(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        first = request("ann")
        same_id = request("bob", order_id=first.order_id)
        assert await kinds(stock, first, same_id) == [ReserveKind.RESERVED, ReserveKind.DUPLICATE_ID]
        assert await kinds(stock, same_id) == [ReserveKind.DUPLICATE_ID]
        assert await tally(stock) == (4, 1, 0)

    @pytest.mark.parametrize(
        "order_id",
        [new_order_id(7, 1), new_order_id(8, 0), str(uuid4()), "order-1"],
        ids=["another bucket's", "another offer's", "a UUID", "none"],
    )
    async def test_an_order_id_of_another_bucket_or_none_is_refused(self, stock: ClockedStock, order_id: str) -> None:
        await opened(stock, 5)
        with pytest.raises(ValueError, match=r"not of 7, 0|not an order_id"):
            await stock.reserve(7, 0, EPOCH, [request("ann"), request("bob", order_id=order_id)])
        assert await tally(stock) == (5, 0, 0)

    async def test_a_failed_order_stays_the_answer_to_its_request(self, stock: ClockedStock) -> None:
        await opened(stock, 1)
        first = request()
        await stock.reserve(7, 0, EPOCH, [first])
        await stock.release(EPOCH, [first.order_id])
        [replay] = await stock.reserve(7, 0, EPOCH, [first])
        assert (replay.kind, replay.state) == (ReserveKind.REPLAY, ReservationState.RELEASED)
        assert await tally(stock) == (1, 0, 0)


class BatchSuite:
    """Many orders at once."""

    async def test_a_double_tap_in_one_batch_on_the_last_unit_is_one_order(self, stock: ClockedStock) -> None:
        await opened(stock, 1)
        tap = request()
        second_tap = request(request_id=tap.request_id)
        results = await stock.reserve(7, 0, EPOCH, [tap, second_tap, request("bob")])
        assert [r.kind for r in results] == [ReserveKind.RESERVED, ReserveKind.REPLAY, ReserveKind.SOLD_OUT]
        assert results[1].order_id == tap.order_id
        assert results[1].entry_id == results[0].entry_id
        assert results[1].entry_present
        assert await tally(stock) == (0, 1, 0)

    async def test_a_reused_request_id_in_one_batch(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        tap = request()
        other = request(request_id=tap.request_id, request_hash="h2")
        assert await kinds(stock, tap, other) == [ReserveKind.RESERVED, ReserveKind.REUSED]
        assert await tally(stock) == (4, 1, 0)

    async def test_the_limit_sees_predecessors_in_the_batch(self, stock: ClockedStock) -> None:
        await opened(stock, 9, limit=2)
        outcomes = await kinds(stock, request(), request(quantity=2), request(), request(), request("bob"))
        reserved, limit = ReserveKind.RESERVED, ReserveKind.LIMIT
        assert outcomes == [reserved, limit, reserved, limit, reserved]
        assert await tally(stock) == (6, 3, 0)

    async def test_the_last_unit_goes_to_the_first(self, stock: ClockedStock) -> None:
        await opened(stock, 2)
        outcomes = await kinds(stock, request("a"), request("b", quantity=2), request("c"), request("d"))
        reserved, sold_out = ReserveKind.RESERVED, ReserveKind.SOLD_OUT
        assert outcomes == [reserved, sold_out, reserved, sold_out]

    async def test_a_batch_of_any_size_comes_back_in_order(self, stock: ClockedStock) -> None:
        await opened(stock, 1_100)
        wishes = [request(f"user-{i}") for i in range(1_200)]
        results = await stock.reserve(7, 0, EPOCH, wishes)
        assert [r.order_id for r in results[:1_100]] == [w.order_id for w in wishes[:1_100]]
        assert {r.kind for r in results[1_100:]} == {ReserveKind.SOLD_OUT}
        assert await stock.reserve(7, 0, EPOCH, []) == []
        outcomes = Counter(await stock.confirm(EPOCH, [w.order_id for w in wishes]))
        assert outcomes == {MoveKind.MOVED: 1_100, MoveKind.ABSENT: 100}
        assert await tally(stock) == (0, 0, 1_100)

    async def test_batches_of_several_offers_go_together(self, stock: ClockedStock) -> None:
        await opened(stock, 1, offer_no=7)
        await opened(stock, 1, offer_no=8)
        one, other, stale = request(offer_no=7), request(offer_no=8), request(offer_no=8)
        outcomes = await stock.reserve_many(
            [ReserveBatch(7, 0, EPOCH, [one]), ReserveBatch(8, 0, EPOCH, [other]), ReserveBatch(8, 0, 5, [stale])]
        )
        found = [outcome[0].kind for outcome in outcomes if isinstance(outcome, list)]
        assert found == [ReserveKind.RESERVED, ReserveKind.RESERVED, ReserveKind.STALE_EPOCH]
        assert await stock.confirm(EPOCH, [other.order_id, one.order_id]) == [MoveKind.MOVED, MoveKind.MOVED]
        assert await tally(stock, 7) == await tally(stock, 8) == (0, 0, 1)

    async def test_two_hundred_buyers_of_fifty_units(self, stock: ClockedStock) -> None:
        await opened(stock, 50)
        outcomes = await asyncio.gather(*(kinds(stock, request(f"user-{i}")) for i in range(200)))
        assert Counter(kind for [kind] in outcomes) == {ReserveKind.RESERVED: 50, ReserveKind.SOLD_OUT: 150}
        assert await tally(stock) == (0, 50, 0)

    async def test_twenty_parallel_calls_under_a_limit_of_one(self, stock: ClockedStock) -> None:
        await opened(stock, 50, limit=1)
        outcomes = await asyncio.gather(*(kinds(stock, request("ann")) for _ in range(20)))
        assert Counter(kind for [kind] in outcomes) == {ReserveKind.RESERVED: 1, ReserveKind.LIMIT: 19}
        assert await tally(stock) == (49, 1, 0)

    async def test_twenty_parallel_taps_with_one_request_id(self, stock: ClockedStock) -> None:
        await opened(stock, 50, limit=1)
        taps = [request("ann", request_id="one") for _ in range(20)]
        outcomes = await asyncio.gather(*(stock.reserve(7, 0, EPOCH, [tap]) for tap in taps))
        assert Counter(r.kind for [r] in outcomes) == {ReserveKind.RESERVED: 1, ReserveKind.REPLAY: 19}
        assert len({r.order_id for [r] in outcomes}) == 1
