"""Promises of StockPort: what becomes of a reservation, and of an offer."""

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.stock.results import (
    MoveKind,
    OfferState,
    ReserveKind,
    SetInitialKind,
)
from tests.integration.kernel.stock_requests import (
    DEADLINE_MS,
    EPOCH,
    ClockedStock,
    kinds,
    opened,
    request,
    tally,
)


class MoveSuite:
    """Confirm, release, give back; settings of an offer."""

    async def test_many_reservations_are_read_in_the_order_asked(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        first, second = request(), request()
        await stock.reserve(7, 0, EPOCH, [first, second])
        unknown = new_order_id(7, 0)
        found = await stock.reservations([second.order_id, unknown, first.order_id])
        assert [each and each.order_id for each in found] == [second.order_id, None, first.order_id]
        assert await stock.reservations([]) == []

    async def test_each_move_acts_on_its_own_state_alone_and_once(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        order = request(quantity=2)
        await stock.reserve(7, 0, EPOCH, [order])
        ids = [order.order_id, order.order_id]
        moved, skipped = MoveKind.MOVED, MoveKind.SKIPPED
        assert await stock.give_back(EPOCH, ids) == [skipped, skipped]
        assert await stock.confirm(EPOCH, ids) == [moved, skipped]
        assert await tally(stock) == (3, 0, 2)
        assert await stock.release(EPOCH, ids) == [skipped, skipped]
        assert await stock.give_back(EPOCH, ids) == [moved, skipped]
        assert await tally(stock) == (5, 0, 0)
        assert await stock.confirm(EPOCH, ids) == [skipped, skipped]

    async def test_a_released_unit_and_limit_are_free_again(self, stock: ClockedStock) -> None:
        await opened(stock, 1, limit=1)
        order = request("ann")
        assert await kinds(stock, order) == [ReserveKind.RESERVED]
        assert await stock.release(EPOCH, [order.order_id]) == [MoveKind.MOVED]
        assert await tally(stock) == (1, 0, 0)
        assert await kinds(stock, request("ann")) == [ReserveKind.RESERVED]

    async def test_counters_of_many_come_in_order(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        await stock.reserve(7, 0, EPOCH, [request(quantity=2)])
        nobody, seven = await stock.counters_of([(9, 0), (7, 0)])
        assert nobody is None
        assert seven == await stock.counters(7, 0)
        assert await stock.counters_of([]) == []

    async def test_moves_of_unknown_orders_and_epochs_are_done(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        order = request()
        await stock.reserve(7, 0, EPOCH, [order])
        unknown = [new_order_id(7, 0), new_order_id(9, 0)]
        assert await stock.release(EPOCH, unknown[:1]) == [MoveKind.ABSENT]
        assert await stock.release(EPOCH, unknown[1:]) == [MoveKind.STALE_EPOCH]
        for move in (stock.confirm, stock.release, stock.give_back):
            assert await move(EPOCH + 1, [order.order_id]) == [MoveKind.STALE_EPOCH]
            assert await move(EPOCH, []) == []
        assert await tally(stock) == (4, 1, 0)

    async def test_deadlines_nominate_until_the_order_ends(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        early, late, paid = request("a"), request("b"), request("c")
        await stock.reserve(7, 0, EPOCH, [early, paid])
        stock.now_ms += 10
        await stock.reserve(7, 0, EPOCH, [late])
        await stock.confirm(EPOCH, [paid.order_id])
        due = stock.now_ms + DEADLINE_MS
        assert await stock.overdue(7, 0, due - 11, 10) == []
        assert await stock.overdue(7, 0, due - 10, 10) == [early.order_id]
        assert await stock.overdue(7, 0, due, 10) == [early.order_id, late.order_id]
        assert await stock.overdue(7, 0, due, 1) == [early.order_id]
        assert await stock.overdue(7, 0, due, 10, offset=1) == [late.order_id]

    async def test_what_has_ended_is_forgotten_and_stays_counted(self, stock: ClockedStock) -> None:
        await opened(stock, 10)
        paid, failed, held = request("a", quantity=2), request("b"), request("c")
        await stock.reserve(7, 0, EPOCH, [paid, failed, held])
        await stock.confirm(EPOCH, [paid.order_id])
        await stock.release(EPOCH, [failed.order_id])
        assert await stock.ended(7, 0, stock.now_ms, 0, 100) == ([], 0), "not old enough"
        stock.now_ms += 1
        found, cursor = await stock.ended(7, 0, stock.now_ms, 0, 100)
        assert (sorted(found), cursor) == (sorted([paid.order_id, failed.order_id]), 0)
        ids = [paid.order_id, failed.order_id, held.order_id, paid.order_id]
        assert await stock.trim(EPOCH + 1, ids) == [MoveKind.STALE_EPOCH] * 4
        moved = [MoveKind.MOVED, MoveKind.MOVED, MoveKind.SKIPPED, MoveKind.ABSENT]
        assert await stock.trim(EPOCH, ids) == moved
        assert await stock.reservation(paid.order_id) is None
        assert await tally(stock) == (7, 1, 2)
        snapshot = await stock.snapshot(7, 0)
        assert snapshot is not None
        assert (snapshot.counters.trimmed, snapshot.sold, snapshot.reservations) == (2, 0, 1)
        assert await stock.confirm(EPOCH, [paid.order_id]) == [MoveKind.ABSENT]

    async def test_opening_twice_changes_nothing(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        await stock.reserve(7, 0, EPOCH, [request()])
        await opened(stock, 5)
        assert await tally(stock) == (4, 1, 0)
        newer = Offer(7, "sale-1", "sku-1", 1999, "EUR", 1, 250, EPOCH + 1, 1, 2)
        assert not await stock.open_offer(newer, 5, 0, 0)
        assert await tally(stock) == (4, 1, 0)

    async def test_units_are_spread_over_the_buckets(self, stock: ClockedStock) -> None:
        assert await stock.open_offer(Offer(7, "s", "k", 1, "EUR", 1, 1, EPOCH, 3, 2), 8, 0, 0)
        found = [await stock.counters(7, bucket) for bucket in range(4)]
        assert [c.available if c else None for c in found] == [3, 3, 2, None]

    async def test_units_are_raised_and_lowered_but_never_below_what_is_taken(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        order = request(quantity=2)
        await stock.reserve(7, 0, EPOCH, [order, request("bob")])
        await stock.confirm(EPOCH, [order.order_id])
        assert (await stock.set_initial(7, 0, EPOCH, 9)).kind is SetInitialKind.DONE
        assert await tally(stock) == (6, 1, 2)
        refused = await stock.set_initial(7, 0, EPOCH, 2)
        assert (refused.kind, refused.committed) == (SetInitialKind.BELOW_COMMITTED, 3)
        assert (await stock.set_initial(7, 0, EPOCH, 3)).kind is SetInitialKind.DONE
        assert await tally(stock) == (0, 1, 2)
        assert (await stock.set_initial(7, 0, EPOCH + 1, 9)).kind is SetInitialKind.STALE_EPOCH
        assert not await stock.set_state(7, 0, EPOCH + 1, OfferState.CLOSED)

    async def test_a_state_may_be_set_from_one_other_alone(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        outcomes = []
        moves = [("PAUSED", "OPEN"), ("PAUSED", "OPEN"), ("CLOSED", None), ("PAUSED", "OPEN"), ("OPEN", "PAUSED")]
        for state, only_from in moves:
            old = OfferState(only_from) if only_from else None
            assert await stock.set_state(7, 0, EPOCH, OfferState(state), old)
            counters = await stock.counters(7, 0)
            outcomes.append(counters.state.value if counters else "")
        assert outcomes == ["PAUSED", "PAUSED", "CLOSED", "CLOSED", "CLOSED"]
        assert not await stock.set_state(7, 0, EPOCH + 1, OfferState.OPEN, OfferState.CLOSED)

    async def test_a_closed_offer_still_settles(self, stock: ClockedStock) -> None:
        await opened(stock, 5)
        paid, failed = request("a"), request("b")
        await stock.reserve(7, 0, EPOCH, [paid, failed])
        assert await stock.set_state(7, 0, EPOCH, OfferState.CLOSED)
        assert await stock.confirm(EPOCH, [paid.order_id]) == [MoveKind.MOVED]
        assert await stock.release(EPOCH, [failed.order_id]) == [MoveKind.MOVED]
        assert await tally(stock) == (4, 0, 1)
        counters = await stock.counters(7, 0)
        assert counters is not None
        assert counters.state is OfferState.CLOSED

    async def test_a_lease_has_one_holder(self, stock: ClockedStock) -> None:
        assert await stock.lease("relay:7:0", "one", 60_000)
        assert not await stock.lease("relay:7:0", "two", 60_000)
        assert await stock.lease("relay:7:0", "one", 60_000)
        assert await stock.lease("relay:8:0", "two", 60_000)
