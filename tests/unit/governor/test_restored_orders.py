"""How an offer's units and orders are spread over its buckets."""

import pytest

from governor.restored_orders import mark_of, spread
from governor.sale import OfferRow
from kernel.offers import Offer
from kernel.order_states import OrderState
from kernel.stock.restored import RestoredOrder
from kernel.stock.results import Mark, ReservationState
from meshkit.errors import IllegalState

R, S, X = ReservationState.RESERVED, ReservationState.SOLD, ReservationState.RELEASED
OFFER = Offer(7, "sale-1", "phone", 1999, "EUR", 1, 400, 3, 2, 2)


def order(state: ReservationState, quantity: int) -> RestoredOrder:
    return RestoredOrder("o", state, "ana", "", "h", quantity, 1, 0, 0)


def test_what_is_free_is_shared_and_what_is_held_stays_in_its_bucket() -> None:
    row = OfferRow(OFFER, initial=20, reserved=6, sold=3)
    orders = [(0, order(R, 6)), (0, order(S, 1)), (1, order(S, 2)), (1, order(X, 9))]
    first, second = spread(row, 4, (5, 6), orders)
    assert (first.initial, second.initial) == (6 + 1 + 6, 2 + 5)
    assert first.initial + second.initial == row.initial
    assert {each.offer.epoch for each in (first, second)} == {4}
    assert (first.opens_ms, first.closes_ms) == (5, 6)
    assert (first.open_orders(), len(second.orders)) == (1, 2)


@pytest.mark.parametrize(("reserved", "sold"), [(5, 3), (6, 4)])
def test_counters_that_are_not_the_sums_of_the_rows_are_refused(reserved: int, sold: int) -> None:
    row = OfferRow(OFFER, initial=20, reserved=reserved, sold=sold)
    with pytest.raises(IllegalState, match="by its rows"):
        spread(row, 4, (0, 0), [(0, order(R, 6)), (1, order(S, 3))])


def test_queued_may_not_be_said_of_what_was_never_in_the_queue() -> None:
    nameless = {state for state in OrderState if mark_of(state, None) is Mark.CANCELLING}
    named = {state for state in OrderState if mark_of(state, "r") is Mark.CANCELLING}
    assert nameless == {OrderState.CANCELLED, OrderState.REJECTED_STALE_EPOCH}
    # A buyer's own cancel was of an order in the queue; a rebuild's refusal never has a request_id.
    assert named == {OrderState.REJECTED_STALE_EPOCH}
