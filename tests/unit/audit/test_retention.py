"""What Kafka has dropped after its retention breaks nothing, and is told; what it must still have is looked for."""

from typing import Any

import pytest

from kernel.topics import RETENTION_MS
from tests.unit.audit.worlds import FAILED, NOW, PAID, database, facts, log, row
from tools.audit.check import check
from tools.audit.facts import Facts, Published
from tools.audit.invariants import INVARIANTS
from tools.audit.read_kafka import CLOCKS_MS, whole_since
from tools.audit.report import AuditLine, Verdict

SINCE = NOW - 100_000
BEFORE, AFTER = SINCE - 1, SINCE
GONE = "from before 1970-01-01T00:15:00.000Z"


def line(world: Facts, invariant: str) -> AuditLine:
    [found] = [each for each in check(world, INVARIANTS).lines if each.invariant == invariant]
    return found


def accepted(paid_ms: int, failed_ms: int, state: str = "PAYMENT_FAILED", **kept: Any) -> Facts:
    """Rows accepted at these times, and a log that has nothing from before SINCE."""
    rows = {PAID: row(PAID, "TO_SHIP", accepted_ms=paid_ms), FAILED: row(FAILED, state, accepted_ms=failed_ms)}
    return facts(database=database(orders=rows), log=log(since_ms=SINCE, **kept))


def test_rows_older_than_the_log_are_not_judged_and_counted() -> None:
    world = accepted(BEFORE, BEFORE, published=[])
    assert {each.verdict for each in check(world, INVARIANTS).lines} == {Verdict.HOLDS}
    told = line(world, "I5").detail
    assert told == f"not judged: 2 rows {GONE}, whose records Kafka no longer keeps"


def test_a_younger_row_without_a_record_is_a_phantom() -> None:
    told = line(accepted(BEFORE, AFTER, published=[]), "I5")
    assert told.verdict is Verdict.VIOLATED
    assert told.detail.startswith(f"row {FAILED} was never published; not judged: 1 rows")


def test_an_old_row_whose_record_is_still_there_is_held_to_it() -> None:
    told = line(accepted(BEFORE, BEFORE, published=[Published(PAID, 1, "another")]), "I5")
    assert told.verdict is Verdict.VIOLATED
    assert told.detail.startswith(f"row {PAID} has another request hash than its record; not judged: 1 rows")


def test_a_log_that_is_whole_has_nothing_to_tell() -> None:
    assert line(facts(), "I5").detail == line(facts(), "I4").detail == ""


def test_why_an_old_order_was_cancelled_is_not_judged() -> None:
    told = line(accepted(BEFORE, BEFORE, "CANCELLED", published=[]), "I4")
    assert (told.verdict, told.detail) == (Verdict.HOLDS, f"not judged: why 1 orders {GONE} were cancelled")
    assert line(accepted(BEFORE, AFTER, "CANCELLED"), "I4").detail == ""


TODAY = 3 * RETENTION_MS
WEEK_AGO = TODAY - RETENTION_MS
TOPICS: dict[str, tuple[dict[int, tuple[int, int | None]], int]] = {
    "nothing was dropped": ({0: (0, 5), 1: (0, None)}, 0),
    "a segment outlives the week": ({0: (7, WEEK_AGO - 900_000), 1: (0, 5)}, WEEK_AGO - 900_000 + CLOCKS_MS),
    "the partition that was cut latest": (
        {0: (7, WEEK_AGO - 900_000), 1: (9, WEEK_AGO - 500_000)},
        WEEK_AGO - 500_000 + CLOCKS_MS,
    ),
    "nothing is left": ({0: (7, None), 1: (9, None)}, WEEK_AGO),
    "somebody dropped what is not a week old": ({0: (7, TODAY - 5), 1: (0, 5)}, WEEK_AGO),
}


@pytest.mark.parametrize("name", TOPICS)
def test_from_when_on_a_topic_must_be_whole(name: str) -> None:
    partitions, since = TOPICS[name]
    starts = {place: start for place, (start, _) in partitions.items()}
    firsts = {place: first for place, (_, first) in partitions.items()}
    assert whole_since(starts, firsts, TODAY) == since
