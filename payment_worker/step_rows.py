"""Rows of payment_step and their legal moves: pure, shared by the SQL adapter and its fake.

    quote    STARTED → DONE | FAILED
    debit    STARTED → DONE | FAILED | STUCK      STUCK → FAILED
    unbook   STARTED → DONE | FAILED | STUCK      STUCK → DONE
    others   STARTED → DONE | STUCK               STUCK → DONE

(debit, BARRED) is inserted by order_worker alone and never moves. A debit that is STUCK is one whose outcome is
unknown and that only a Void may end: the mark is committed *before* Void is called, so that no other settlement of
the same order can store DONE for a debit that is about to be given back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kernel.payment_steps import BARRED, DEBIT, DONE, FAILED, QUOTE, STARTED, STUCK, UNBOOK
from kernel.schema import REASON_CHARS

OPEN = frozenset({STARTED, STUCK})

_MOVES: dict[str, frozenset[tuple[str, str]]] = {
    QUOTE: frozenset({(STARTED, DONE), (STARTED, FAILED)}),
    DEBIT: frozenset({(STARTED, DONE), (STARTED, FAILED), (STARTED, STUCK), (STUCK, FAILED)}),
    UNBOOK: frozenset({(STARTED, DONE), (STARTED, FAILED), (STARTED, STUCK), (STUCK, DONE)}),
}
_RETRIED_UNTIL_DONE = frozenset({(STARTED, DONE), (STARTED, STUCK), (STUCK, DONE)})


@dataclass(frozen=True, slots=True)
class StepRow:
    """One row. `amount_minor` is the step's own money: shipping for a quote, the whole amount for a debit."""

    order_id: str
    step: str
    state: str = STARTED
    attempt: int = 1
    amount_minor: int = 0
    currency: str = ""
    provider_ref: str = ""
    reason: str = ""
    deadline_ms: int = 0


Rows = Mapping[str, StepRow]


@dataclass(frozen=True, slots=True)
class Finish:
    """A compare-and-set to `state`; None keeps what the row has."""

    step: str
    state: str
    amount_minor: int | None = None
    provider_ref: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What one order asks of the table, all or nothing: every `finish` is legal or stored already, or none is."""

    order_id: str
    finish: tuple[Finish, ...] = ()
    begin: tuple[StepRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """The order's rows after the change, won or lost; `inserted` names the steps this change began."""

    rows: Rows
    inserted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()


def is_legal(step: str, before: str, after: str) -> bool:
    return (before, after) in _MOVES.get(step, _RETRIED_UNTIL_DONE)


def apply(rows: Rows, change: Change) -> Applied:
    """Pure. A step begun again while it is open counts an attempt; one that ended stays. A barred order begins none."""
    for finish in change.finish:
        row = rows.get(finish.step)
        if row is None or not (_is_stored(row, finish) or is_legal(finish.step, row.state, finish.state)):
            return Applied(rows)
    after = dict(rows)
    # A step that another settlement brought to the same end keeps what that one stored.
    updated = [_finish(after, each) for each in change.finish if after[each.step].state != each.state]
    inserted: list[str] = []
    barred = DEBIT in after and after[DEBIT].state == BARRED
    for begun in () if barred else change.begin:
        row = after.get(begun.step)
        if row is None:
            after[begun.step] = begun
            inserted.append(begun.step)
        elif row.state in OPEN:
            after[begun.step] = replace(row, attempt=row.attempt + 1)
            updated.append(begun.step)
    return Applied(after, tuple(inserted), tuple(updated))


def _is_stored(row: StepRow, finish: Finish) -> bool:
    return row.state == finish.state and finish.amount_minor in (None, row.amount_minor)


def _finish(rows: dict[str, StepRow], finish: Finish) -> str:
    row = rows[finish.step]
    amount = row.amount_minor if finish.amount_minor is None else finish.amount_minor
    rows[finish.step] = replace(
        row,
        state=finish.state,
        amount_minor=amount,
        provider_ref=finish.provider_ref or row.provider_ref,
        reason=finish.reason[:REASON_CHARS],
    )
    return finish.step
