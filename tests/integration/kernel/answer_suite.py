"""Promises of StockPort: what was answered, who asked, and the outbox."""

from kernel.order_ids import new_order_id
from kernel.stock.results import (
    Mark,
    ReservationState,
    ReserveKind,
    ReserveRequest,
)
from tests.integration.kernel.stock_requests import (
    CONSENT_MS,
    DEADLINE_MS,
    EPOCH,
    ClockedStock,
    opened,
    request,
    tally,
)


class AnswerSuite:
    """Marks, consent and the outbox."""

    async def _pending(self, stock: ClockedStock) -> ReserveRequest:
        await opened(stock, 5)
        order = request()
        await stock.reserve(7, 0, EPOCH, [order])
        marked = await stock.mark_pending(EPOCH, order.order_id)
        assert (marked.found, marked.mark, marked.entry_present) == (True, Mark.PENDING, True)
        return order

    async def test_only_a_pending_order_is_cancelled_and_only_unasked(self, stock: ClockedStock) -> None:
        order = await self._pending(stock)
        stock.now_ms += CONSENT_MS - 1
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)
        assert await stock.touch(EPOCH, order.order_id)
        stock.now_ms += CONSENT_MS - 1
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)
        stock.now_ms += 1
        assert await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)
        assert not await stock.clear_pending(EPOCH, order.order_id)
        assert not await stock.touch(EPOCH, order.order_id)
        assert (await stock.mark_pending(EPOCH, order.order_id)).mark is Mark.CANCELLING
        assert await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)
        assert await tally(stock) == (4, 1, 0)

    async def test_a_retry_is_an_asking(self, stock: ClockedStock) -> None:
        order = await self._pending(stock)
        stock.now_ms += CONSENT_MS
        [replay] = await stock.reserve(7, 0, EPOCH, [order])
        assert (replay.kind, replay.mark) == (ReserveKind.REPLAY, Mark.PENDING)
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)

    async def test_asking_for_the_first_answer_is_an_asking_and_reserves_nothing(self, stock: ClockedStock) -> None:
        order = await self._pending(stock)
        stock.now_ms += CONSENT_MS
        first = await stock.first_answer(7, 0, EPOCH, order)
        assert first is not None
        assert (first.kind, first.order_id, first.mark) == (ReserveKind.REPLAY, order.order_id, Mark.PENDING)
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)
        reused = await stock.first_answer(7, 0, EPOCH, request(request_id=order.request_id, request_hash="h2"))
        assert reused is not None
        assert reused.kind is ReserveKind.REUSED
        assert await stock.first_answer(7, 0, EPOCH, request()) is None
        assert await stock.first_answer(9, 0, EPOCH, request(offer_no=9)) is None
        assert await tally(stock) == (4, 1, 0)

    async def test_the_callers_answer_outlives_mark_entry_and_end(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        order = request(answer="R: 5 € too little")
        await stock.reserve(7, 0, EPOCH, [order])
        await stock.mark_pending(EPOCH, order.order_id)
        await stock.clear_pending(EPOCH, order.order_id)
        await stock.confirm(EPOCH, [order.order_id])
        [replay] = await stock.reserve(7, 0, EPOCH, [request(request_id=order.request_id, answer="another")])
        assert (replay.answer, replay.deadline_ms) == (order.answer, stock.now_ms + DEADLINE_MS)
        found = await stock.reservation(order.order_id)
        assert found is not None
        assert found.answer == order.answer

    async def test_an_unmarked_order_counts_as_answered(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        order = request()
        await stock.reserve(7, 0, EPOCH, [order])
        stock.now_ms += 10 * CONSENT_MS
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)

    async def test_a_cleared_order_cannot_be_marked_or_cancelled_again(self, stock: ClockedStock) -> None:
        order = await self._pending(stock)
        assert await stock.clear_pending(EPOCH, order.order_id)
        assert await stock.clear_pending(EPOCH, order.order_id)
        late = await stock.mark_pending(EPOCH, order.order_id)
        assert (late.found, late.mark, late.entry_present) == (True, Mark.NONE, False)
        stock.now_ms += 10 * CONSENT_MS
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)
        assert await stock.outbox_entry(order.order_id) is None

    async def test_an_order_whose_entry_is_gone_is_not_cancelled(self, stock: ClockedStock) -> None:
        order = await self._pending(stock)
        [result] = await stock.reserve(7, 0, EPOCH, [order])
        assert await stock.outbox_delete(7, 0, EPOCH, [result.entry_id]) == 1
        stock.now_ms += CONSENT_MS
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)
        found = await stock.reservation(order.order_id)
        assert found is not None
        assert (found.mark, found.entry_present) == (Mark.PENDING, False)

    async def test_an_ended_order_is_not_cancelled(self, stock: ClockedStock) -> None:
        order = await self._pending(stock)
        await stock.confirm(EPOCH, [order.order_id])
        stock.now_ms += CONSENT_MS
        assert not await stock.start_cancel(EPOCH, order.order_id, CONSENT_MS)

    async def test_marks_of_another_epoch_or_an_unknown_order(self, stock: ClockedStock) -> None:
        order = await self._pending(stock)
        stock.now_ms += CONSENT_MS
        for epoch, order_id in ((EPOCH + 1, order.order_id), (EPOCH, new_order_id(7, 0)), (EPOCH, new_order_id(9, 0))):
            assert not (await stock.mark_pending(epoch, order_id)).found
            assert not await stock.touch(epoch, order_id)
            assert not await stock.clear_pending(epoch, order_id)
            assert not await stock.start_cancel(epoch, order_id, CONSENT_MS)
        assert await stock.reservation(new_order_id(7, 0)) is None

    async def test_the_outbox_is_read_oldest_first_and_by_age(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        orders = [request(f"user-{i}") for i in range(3)]
        results = await stock.reserve(7, 0, EPOCH, orders)
        # Entries are stamped by Redis itself, whose clock runs on while the test's stands.
        stock.now_ms += 60_000
        assert await stock.outbox_entries(7, 0, 3_600_000, 10) == []
        entries = await stock.outbox_entries(7, 0, 0, 2)
        assert [(e.order_id, e.event) for e in entries] == [(o.order_id, o.event) for o in orders[:2]]
        assert [e.entry_id for e in entries] == [r.entry_id for r in results[:2]]
        assert {(e.state, e.mark) for e in entries} == {(ReservationState.RESERVED, Mark.NONE)}
        stock.now_ms += 7_200_000
        old = await stock.outbox_entries(7, 0, 3_600_000, 10)
        assert len(old) == 3
        assert min(e.age_ms for e in old) >= 3_600_000
        assert await stock.outbox_entries(9, 0, 0, 10) == []

    async def test_deleting_entries_is_repeatable_and_minds_the_epoch(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        orders = [request(f"user-{i}") for i in range(3)]
        ids = [r.entry_id for r in await stock.reserve(7, 0, EPOCH, orders)]
        assert await stock.outbox_delete(7, 0, EPOCH + 1, ids) == 0
        assert await stock.outbox_delete(7, 0, EPOCH, ids[:2]) == 2
        assert await stock.outbox_delete(7, 0, EPOCH, ids) == 1
        assert await stock.outbox_delete(7, 0, EPOCH, []) == 0
        [replay] = await stock.reserve(7, 0, EPOCH, orders[:1])
        assert (replay.kind, replay.entry_present) == (ReserveKind.REPLAY, False)
