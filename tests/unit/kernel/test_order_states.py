"""The table of moves, and the stock that each move carries."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.order_states import (
    FAILED_STATES,
    MOVES,
    OPEN_STATES,
    SOLD_STATES,
    TERMINAL_STATES,
    OrderState,
    StockClass,
    counter_delta,
    legal,
    stock_class,
)
from peakmesh.order.v1 import order_pb2

EVERY = list(OrderState)
LEGAL = {
    ("CREATED", "PAID"),
    ("CREATED", "TO_SHIP"),
    ("CREATED", "PAYMENT_FAILED"),
    ("CREATED", "EXPIRED"),
    ("CREATED", "CANCELLED"),
    ("CREATED", "FAILED_DLQ"),
    ("PAID", "TO_SHIP"),
    ("PAID", "REFUNDED"),
    ("TO_SHIP", "REFUNDED"),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(EVERY, EVERY)))
def test_exactly_the_listed_moves_are_legal(old: OrderState, new: OrderState) -> None:
    assert legal(old, new) is ((old.value, new.value) in LEGAL)


def test_terminal_states_have_no_way_out_but_the_refund_of_what_is_to_ship() -> None:
    assert set(MOVES) == set(EVERY) - TERMINAL_STATES | {OrderState.TO_SHIP}
    ways_out = {(old, new) for old in TERMINAL_STATES for new in EVERY if legal(old, new)}
    assert ways_out == {(OrderState.TO_SHIP, OrderState.REFUNDED)}


def test_every_state_can_be_reached() -> None:
    """A row begins CREATED, or rejected; all else is moved to."""
    begun = {state for state in EVERY if state is OrderState.CREATED or state.startswith("REJECTED_")}
    assert begun.union(*MOVES.values()) == set(EVERY)


def test_a_failed_order_holds_no_stock() -> None:
    assert {stock_class(state) for state in FAILED_STATES} == {StockClass.NONE}


def test_stock_classes_part_the_states() -> None:
    held = {state: stock_class(state) for state in EVERY}
    assert {state for state, kind in held.items() if kind is StockClass.RESERVED} == OPEN_STATES == {"CREATED"}
    assert {state for state, kind in held.items() if kind is StockClass.SOLD} == SOLD_STATES == {"PAID", "TO_SHIP"}


@pytest.mark.parametrize(
    ("old", "new", "delta"),
    [
        (None, OrderState.CREATED, (3, 0)),
        (None, OrderState.CANCELLED, (0, 0)),
        (None, OrderState.REJECTED_OVERSOLD, (0, 0)),
        (OrderState.CREATED, OrderState.PAID, (-3, 3)),
        (OrderState.CREATED, OrderState.TO_SHIP, (-3, 3)),
        (OrderState.CREATED, OrderState.EXPIRED, (-3, 0)),
        (OrderState.PAID, OrderState.TO_SHIP, (0, 0)),
        (OrderState.PAID, OrderState.REFUNDED, (0, -3)),
        (OrderState.TO_SHIP, OrderState.REFUNDED, (0, -3)),
    ],
)
def test_counters_move_with_the_state(old: OrderState | None, new: OrderState, delta: tuple[int, int]) -> None:
    assert counter_delta(old, new, 3) == delta


@given(st.lists(st.sampled_from(EVERY), max_size=6), st.integers(1, 100))
def test_the_counters_of_a_whole_life_add_up_to_where_it_stands(wishes: list[OrderState], quantity: int) -> None:
    state: OrderState | None = None
    reserved = sold = 0
    for new in [OrderState.CREATED, *wishes]:
        if state is None or legal(state, new):
            moved = counter_delta(state, new, quantity)
            reserved, sold, state = reserved + moved[0], sold + moved[1], new
    assert reserved == (quantity if stock_class(state) is StockClass.RESERVED else 0)
    assert sold == (quantity if stock_class(state) is StockClass.SOLD else 0)


def test_every_state_has_a_name_on_the_wire() -> None:
    wire = set(order_pb2.OrderState.keys())
    assert {f"ORDER_STATE_{state}" for state in EVERY} <= wire
