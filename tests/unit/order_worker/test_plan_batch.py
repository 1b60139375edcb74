"""The pure core: examples of each rule, then properties over sequences of batches with replays and cancels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.order_states import OrderState, StockClass, stock_class
from order_worker.plan_batch import Fence, Intake, Plan, RowSeen, overflow, plan_batch
from tests.unit.order_worker.orders import OFFER, an_order, arrived

LIMITS = {OFFER: 3}


def states(plan: Plan) -> dict[str, OrderState]:
    return {row.order.order_id: row.state for row in plan.inserts}


def row_of(each: Intake, state: OrderState) -> RowSeen:
    order = each.order
    return RowSeen(order.order_id, order.offer_no, order.user_id, order.request_id, order.quantity, state)


def test_a_new_order_is_created_and_debited() -> None:
    order = an_order(quantity=2)
    plan = plan_batch([], [arrived(order)], LIMITS)
    assert states(plan) == {order.order_id: OrderState.CREATED}
    assert plan.debits() == {OFFER: 2}


def test_inserts_are_sorted_by_primary_key() -> None:
    batch = [arrived(an_order(f"user{n}", n)) for n in range(20)]
    plan = plan_batch([], batch[::-1], LIMITS)
    ids = [row.order.order_id for row in plan.inserts]
    assert ids == sorted(ids)


def test_a_replay_writes_nothing() -> None:
    each = arrived(an_order())
    plan = plan_batch([row_of(each, OrderState.PAID)], [each, each], LIMITS)
    assert plan == Plan()


def test_the_same_record_twice_in_a_batch_is_one_row() -> None:
    each = arrived(an_order())
    assert len(plan_batch([], [each, replace(each, offset=1)], LIMITS).inserts) == 1


def test_a_reused_request_id_loses_to_a_row_and_to_the_same_batch() -> None:
    first, second, third = (arrived(an_order(request=1)) for _ in range(3))
    plan = plan_batch([row_of(first, OrderState.CREATED)], [second], LIMITS)
    assert states(plan) == {second.order.order_id: OrderState.REJECTED_DUPLICATE}
    assert plan.inserts[0].request_id is None
    plan = plan_batch([], [second, third], LIMITS)
    assert states(plan)[third.order.order_id] is OrderState.REJECTED_DUPLICATE


def test_the_limit_counts_rows_that_hold_stock() -> None:
    held, ended = arrived(an_order(request=1, quantity=2)), arrived(an_order(request=2, quantity=2))
    seen = [row_of(held, OrderState.TO_SHIP), row_of(ended, OrderState.EXPIRED)]
    fits, over = arrived(an_order(request=3, quantity=1)), arrived(an_order(request=4, quantity=1))
    plan = plan_batch(seen, [fits, over], LIMITS)
    assert states(plan)[fits.order.order_id] is OrderState.CREATED
    assert states(plan)[over.order.order_id] is OrderState.REJECTED_LIMIT
    assert plan.debits() == {OFFER: 1}


def test_a_cancel_first_leaves_a_tombstone_that_the_order_meets() -> None:
    order = an_order()
    plan = plan_batch([], [arrived(order, cancelled=True), arrived(order, 1)], LIMITS)
    assert states(plan) == {order.order_id: OrderState.CANCELLED}
    assert plan.debits() == {}


def test_a_tombstone_leaves_its_request_to_who_asks_again() -> None:
    """Its buyer was never told QUEUED; the retry was, by a Redis that knows nothing of the first order."""
    first, retry = an_order(request=1), an_order(request=1)
    tombstone = arrived(first, cancelled=True)
    plan = plan_batch([], [tombstone, arrived(retry, 1)], LIMITS)
    assert states(plan) == {first.order_id: OrderState.CANCELLED, retry.order_id: OrderState.CREATED}
    requests = {row.order.order_id: row.request_id for row in plan.inserts}
    assert requests == {first.order_id: None, retry.order_id: retry.request_id}
    seen = replace(row_of(tombstone, OrderState.CANCELLED), request_id=None)
    assert states(plan_batch([seen], [arrived(retry, 1)], LIMITS)) == {retry.order_id: OrderState.CREATED}


def test_a_cancel_later_in_the_batch_never_takes_stock() -> None:
    order = an_order()
    plan = plan_batch([], [arrived(order), arrived(order, 1, cancelled=True)], LIMITS)
    assert states(plan) == {order.order_id: OrderState.CANCELLED}
    assert plan.cancels == []


def test_a_cancel_closes_a_created_row_and_no_other() -> None:
    for state in OrderState:
        each = arrived(an_order(), cancelled=True)
        plan = plan_batch([row_of(each, state)], [each], LIMITS)
        assert plan.inserts == []
        assert plan.cancels == ([each.order.order_id] if state is OrderState.CREATED else [])


def test_an_older_epoch_after_its_partitions_fence_is_stale() -> None:
    fence = Fence(partition=0, offset=10, epoch=2, offer_no=OFFER)
    before, after, current = arrived(an_order("a"), 9), arrived(an_order("b"), 11), arrived(an_order("c", epoch=2), 12)
    elsewhere = replace(arrived(an_order("d"), 11), partition=1)
    found = states(plan_batch([], [before, after, current, elsewhere], LIMITS, [fence]))
    assert found.pop(after.order.order_id) is OrderState.REJECTED_STALE_EPOCH
    assert set(found.values()) == {OrderState.CREATED}


def test_who_asks_again_after_a_fence_refused_the_first_order_gets_one_that_stands() -> None:
    fence = Fence(partition=0, offset=10, epoch=2, offer_no=OFFER)
    late, retry = arrived(an_order("a"), 11), arrived(an_order("a", epoch=2), 12)
    plan = plan_batch([], [late, retry], LIMITS, [fence])
    assert states(plan) == {
        late.order.order_id: OrderState.REJECTED_STALE_EPOCH,
        retry.order.order_id: OrderState.CREATED,
    }
    assert {row.order.order_id: row.request_id for row in plan.inserts} == {
        late.order.order_id: None,
        retry.order.order_id: retry.order.request_id,
    }


def test_a_fence_of_other_offers_refuses_nothing() -> None:
    """One sale is rebuilt while another goes on in its older epoch."""
    fence = Fence(partition=0, offset=10, epoch=2, offer_no=OFFER + 1)
    assert set(states(plan_batch([], [arrived(an_order(), 11)], LIMITS, [fence])).values()) == {OrderState.CREATED}


def test_overflow_refuses_what_does_not_fit_and_serves_what_does() -> None:
    batch = [arrived(an_order(f"u{n}", n, quantity)) for n, quantity in enumerate((2, 3, 1))]
    plan = plan_batch([], batch, LIMITS)
    sizes = {row.order.order_id: row.order.quantity for row in plan.inserts}
    for available in range(8):
        refused = overflow(plan.inserts, available)
        assert sum(sizes.values()) - sum(sizes[each] for each in refused) <= available
    assert overflow(plan.inserts, 6) == []


@dataclass
class Table:
    """The database of the model: rows by order_id, and the guard."""

    initial: int
    rows: dict[str, RowSeen] = field(default_factory=dict)

    def reserved(self) -> int:
        return sum(row.quantity for row in self.rows.values() if stock_class(row.state) is not StockClass.NONE)

    def write(self, batch: Sequence[Intake]) -> Plan:
        plan = plan_batch(self.rows.values(), batch, LIMITS)
        created = [row for row in plan.inserts if row.state is OrderState.CREATED]
        refused = set(overflow(created, self.initial - self.reserved()))
        for row in plan.inserts:
            assert row.order.order_id not in self.rows
            state = OrderState.REJECTED_OVERSOLD if row.order.order_id in refused else row.state
            order = row.order
            seen = RowSeen(order.order_id, OFFER, order.user_id, row.request_id, order.quantity, state)
            self.rows[order.order_id] = seen
        for order_id in plan.cancels:
            assert self.rows[order_id].state is OrderState.CREATED
            self.rows[order_id] = replace(self.rows[order_id], state=OrderState.CANCELLED, request_id=None)
        return plan


# Few users, requests and orders, so that they collide; an index that is drawn again is a replay.
_orders = st.lists(
    st.builds(
        an_order,
        st.sampled_from(["ana", "ben", "cas"]),
        st.integers(0, 3),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=8,
)
_picks = st.lists(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4)), max_size=10), max_size=4)


@settings(max_examples=100, deadline=None)
@given(orders=_orders, picks=_picks, initial=st.integers(0, 8))
def test_never_oversold_never_two_rows_a_request(orders: list, picks: list, initial: int) -> None:  # type: ignore[type-arg]
    table = Table(initial)
    for batch_of in picks:
        batch = [arrived(orders[n % len(orders)], cancelled=kind == 0) for n, kind in batch_of]
        table.write(batch)
        assert table.write(batch).inserts == [], "a replayed batch inserts nothing"
        assert {each.order.order_id for each in batch} <= table.rows.keys(), "every record has a row"
    assert table.reserved() <= initial
    requests = Counter((row.user_id, row.request_id) for row in table.rows.values() if row.request_id)
    assert not requests or max(requests.values()) == 1
    for user in {row.user_id for row in table.rows.values()}:
        mine = (row for row in table.rows.values() if row.user_id == user)
        assert sum(row.quantity for row in mine if stock_class(row.state) is not StockClass.NONE) <= LIMITS[OFFER]
