"""What a watcher is told between two looks: every walk through the states, whatever was looked at in between."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.order_states import OrderState
from order_worker.state_path import path

LIVES = [
    ["PENDING", "QUEUED", "CREATED", "PAYING", "PAID", "TO_SHIP"],
    ["PENDING", "QUEUED", "CREATED", "PAYING", "PAID", "REFUNDED"],
    ["PENDING", "QUEUED", "CREATED", "PAYING", "PAYMENT_FAILED"],
    ["PENDING", "QUEUED", "CREATED", "EXPIRED"],
    ["QUEUED", "CREATED", "CANCELLED"],
    ["PENDING", "CANCELLED"],
    *(["PENDING", "QUEUED", state] for state in OrderState if state.startswith(("REJECTED", "FAILED"))),
]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life[-1])
def test_whatever_looks_are_missed_every_move_is_told_once(life: list[str]) -> None:
    for size in range(len(life) - 1):
        for missed in itertools.combinations(life[1:-1], size):
            told, state = [life[0]], life[0]
            for seen in [each for each in life[1:] if each not in missed]:
                told += path(state, seen, debited="PAYING" in life)
                state = seen
            assert told == life


@given(st.sampled_from(LIVES), st.data())
def test_news_that_comes_late_is_no_move(life: list[str], data: st.DataObject) -> None:
    now = data.draw(st.integers(0, len(life) - 1))
    then = data.draw(st.integers(0, now))
    if (life[now], life[then]) != ("CANCELLED", "PENDING"):
        assert path(life[now], life[then], debited="PAYING" in life) == []


def test_a_payment_that_failed_before_its_debit_was_never_paying() -> None:
    assert path("QUEUED", "PAYMENT_FAILED") == ["CREATED", "PAYMENT_FAILED"]


def test_what_was_to_ship_can_only_be_refunded() -> None:
    assert path("TO_SHIP", "REFUNDED") == ["REFUNDED"]


def test_every_state_of_a_row_can_be_told() -> None:
    for state in OrderState:
        assert path("PENDING", state.value)[-1] == state.value
