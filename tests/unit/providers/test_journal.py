import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from meshkit.errors import DependencyUnavailable, KeyNotFound
from tools.providers.journal import Journal
from tools.providers.wallet import Wallet


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "providers" / "journal.sqlite")
    yield opened
    opened.close()


def test_work_that_raises_undoes_its_own_writes_alone(journal: Journal) -> None:
    def fails(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO accounts VALUES ('half', 'EUR', 1)")
        raise KeyNotFound("no")

    def succeeds(name: str) -> int:
        return journal.run(lambda db: db.execute("INSERT INTO accounts VALUES (?, 'EUR', 1)", (name,)).rowcount)

    with ThreadPoolExecutor(8) as threads:
        good = [threads.submit(succeeds, f"user:{n}") for n in range(20)]
        bad = [threads.submit(journal.run, fails) for _ in range(5)]
    assert [each.result() for each in good] == [1] * 20
    assert all(isinstance(each.exception(), KeyNotFound) for each in bad)
    assert journal.run(lambda db: db.execute("SELECT COUNT(*) FROM accounts").fetchone()[0]) == 20


def execute(statement: str, db: sqlite3.Connection) -> int:
    return db.execute(statement).rowcount


def test_a_transfer_cannot_be_changed_or_removed(journal: Journal) -> None:
    Wallet(journal, 100).debit("o:debit", "ann", 30, "EUR")
    for statement in ("UPDATE entries SET amount_minor = 0", "DELETE FROM entries", "DELETE FROM transfers"):
        with pytest.raises(sqlite3.IntegrityError, match="immutable"):
            journal.run(partial(execute, statement))


def test_a_balance_below_zero_is_refused_by_the_table_itself(journal: Journal) -> None:
    Wallet(journal, 100).debit("o:debit", "ann", 30, "EUR")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        journal.run(lambda db: db.execute("UPDATE accounts SET balance_minor = -1 WHERE account = 'user:ann'"))


def test_what_was_recorded_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first = Journal(path)
    done = Wallet(first, 100).debit("o:debit", "ann", 30, "EUR")
    first.close()
    second = Journal(path)
    try:
        assert Wallet(second, 100).find("o:debit") == done
        assert Wallet(second, 100).balance("ann", "EUR") == 70
    finally:
        second.close()


def test_a_closed_journal_refuses_instead_of_waiting(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.close()
    with pytest.raises(DependencyUnavailable, match="closed"):
        journal.run(lambda db: db.execute("SELECT 1").fetchone())
