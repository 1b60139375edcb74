import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.payment_steps import BARRED, DEBIT, DONE, FAILED, INVOICE, QUOTE, STARTED, STUCK, key_of
from payment_worker.step_rows import Change, Finish, StepRow, apply

STATES = (STARTED, DONE, FAILED, BARRED, STUCK)


def rows_with(step: str, state: str) -> dict[str, StepRow]:
    return {step: StepRow("o", step, state=state)}


@pytest.mark.parametrize("state", [DONE, FAILED, BARRED])
def test_a_debit_that_ended_never_moves(state: str) -> None:
    for target in STATES:
        applied = apply(rows_with(DEBIT, state), Change("o", finish=(Finish(DEBIT, target),)))
        assert applied.rows[DEBIT].state == state
        assert not applied.updated


def test_a_stuck_debit_only_fails() -> None:
    reached = {
        target
        for target in STATES
        if apply(rows_with(DEBIT, STUCK), Change("o", finish=(Finish(DEBIT, target),))).rows[DEBIT].state != STUCK
    }
    assert reached == {FAILED}


def test_a_step_after_the_pivot_never_fails() -> None:
    for before in STATES:
        applied = apply(rows_with(INVOICE, before), Change("o", finish=(Finish(INVOICE, FAILED),)))
        assert applied.rows[INVOICE].state == before


def test_a_change_that_lost_begins_nothing() -> None:
    change = Change("o", finish=(Finish(QUOTE, DONE, amount_minor=5),), begin=(StepRow("o", DEBIT),))
    applied = apply(rows_with(QUOTE, FAILED), change)
    assert DEBIT not in applied.rows
    assert not applied.inserted


def test_a_barred_order_begins_nothing() -> None:
    applied = apply(rows_with(DEBIT, BARRED), Change("o", begin=(StepRow("o", QUOTE), StepRow("o", DEBIT))))
    assert set(applied.rows) == {DEBIT}
    assert applied.rows[DEBIT].state == BARRED


def test_beginning_again_counts_an_attempt_and_keeps_the_amount() -> None:
    first = apply({}, Change("o", begin=(StepRow("o", DEBIT, amount_minor=7),)))
    again = apply(first.rows, Change("o", begin=(StepRow("o", DEBIT, amount_minor=8),)))
    assert first.inserted == (DEBIT,)
    assert again.inserted == ()
    assert (again.rows[DEBIT].attempt, again.rows[DEBIT].amount_minor) == (2, 7)


def test_the_key_is_the_same_on_every_retry() -> None:
    assert key_of("o", DEBIT) == "o:debit"


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_no_sequence_of_outcomes_turns_a_voided_debit_into_a_done_one(targets: list[str]) -> None:
    rows = apply({}, Change("o", begin=(StepRow("o", DEBIT),))).rows
    seen = [STARTED]
    for target in targets:
        rows = apply(rows, Change("o", finish=(Finish(DEBIT, target),))).rows
        seen.append(rows[DEBIT].state)
    assert not (STUCK in seen and DONE in seen)
