"""I7 by the ledger's own transfers, whatever the provider's table of debits says; read from a journal's real tables."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kernel.order_ids import new_order_id
from tests.unit.audit.worlds import NOW, bucket, database, facts, log, row
from tools.audit.check import check
from tools.audit.facts import OfferRow, Published, Reservation
from tools.audit.invariants import INVARIANTS
from tools.audit.read_journal import read_journal
from tools.audit.report import AuditLine, Verdict
from tools.providers.ledger import MERCHANT, SYSTEM, transfer, wallet_of
from tools.providers.schema import SCHEMA

ORDER = new_order_id(1, 0)
Books = sqlite3.Connection


def journal(folder: Path, charged: dict[str, Any], returned: dict[str, Any]) -> Path:
    """Ann and Eve have 100.00 in each currency; 25.00 were charged for one order of Ann's, and given back."""
    path = folder / "journal.sqlite"
    with closing(sqlite3.connect(path)) as books, books:
        books.executescript(SCHEMA)
        for account in (wallet_of("ann"), wallet_of("eve"), MERCHANT):
            for currency in ("EUR", "USD"):
                transfer(books, "opening", account, SYSTEM, account, 10_000, currency)
        said = {"user": "ann", "currency": "EUR"} | charged
        values = (
            f"{ORDER}:debit",
            said["user"],
            said["currency"],
            charge(books, **charged),
            give_back(books, **returned),
        )
        books.execute("INSERT INTO debits VALUES (?, 'DONE', ?, 2500, ?, ?, ?, '', 0)", values)
    return path


def charge(books: Books, user: str = "ann", amount: int = 2500, currency: str = "EUR") -> str:
    return transfer(books, "debit", f"{ORDER}:debit", wallet_of(user), MERCHANT, amount, currency)


def give_back(books: Books, key: str = "refund", user: str = "ann", amount: int = 2500, currency: str = "EUR") -> str:
    return transfer(books, "refund", f"{ORDER}:{key}", MERCHANT, wallet_of(user), amount, currency)


def lines(path: Path) -> list[AuditLine]:
    world = facts(
        database=database(
            orders={ORDER: row(ORDER, "REFUNDED", user_id="ann")},
            offers=[OfferRow(1, "sale", "phone", 10, 0, 0, 2)],
            steps=[],
        ),
        buckets={(1, 0): bucket(available=10, sold=0, reservations={ORDER: Reservation("X", 2, "ann", NOW - 60_000)})},
        log=log(published=[Published(ORDER, 1, f"hash-of-{ORDER}")]),
        journal=read_journal(path, lambda order_id: order_id == ORDER),
        queued=frozenset({ORDER}),
    )
    return [line for line in check(world, INVARIANTS).lines if line.verdict is not Verdict.HOLDS]


def test_a_charge_that_was_given_back_holds(tmp_path: Path) -> None:
    assert lines(journal(tmp_path, {}, {})) == []


BREAKS: dict[str, tuple[Callable[[Books], Any], str]] = {
    "debited twice under one key": (charge, "was debited 2 times"),
    "debited twice and given back twice": (
        lambda books: (charge(books), give_back(books, "refund2")),
        "was debited 2 times",
    ),
    "given back twice": (lambda books: give_back(books, "refund2"), "was given back 2 times, and debited 1 times"),
    "given back twice under one key": (give_back, "was given back 2 times, and debited 1 times"),
    "listed in another currency than was moved": (
        lambda books: books.execute("UPDATE debits SET currency = 'USD'"),
        "lists the debits [('ann', 2500, 'USD')], its ledger has [('ann', 2500, 'EUR')]",
    ),
    "listed as another amount than was moved": (
        lambda books: books.execute("UPDATE debits SET amount_minor = 2499"),
        "lists the debits [('ann', 2499, 'EUR')]",
    ),
    "in no list": (lambda books: books.execute("DELETE FROM debits"), "lists the debits []"),
    "given back and not listed so": (
        lambda books: books.execute("UPDATE debits SET refund_transfer_id = ''"),
        "lists other refunds than the 1 of its ledger",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_money_moved_otherwise_turns_i7_red_and_nothing_else(tmp_path: Path, name: str) -> None:
    spoil, said = BREAKS[name]
    path = journal(tmp_path, {}, {})
    with closing(sqlite3.connect(path)) as books, books:
        spoil(books)
    [line] = lines(path)
    assert (line.invariant, line.verdict) == ("I7", Verdict.VIOLATED)
    assert said in line.detail


MOVED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "in another currency": ({"currency": "USD"}, {"currency": "USD"}, "is in EUR, its debit in USD"),
    "from another buyer": ({"user": "eve"}, {"user": "eve"}, "of ann: its debit is one of eve"),
    "given back to another buyer": ({}, {"user": "eve"}, "of ann: its refund is one of eve"),
    "given back in another currency": ({}, {"currency": "USD"}, "is in EUR, its refund in USD"),
    "given back in part": ({}, {"amount": 2400}, "was debited 2500, and 2400 were given back"),
}


@pytest.mark.parametrize("name", MOVED)
def test_the_right_number_of_wrong_transfers_is_red_too(tmp_path: Path, name: str) -> None:
    charged, returned, said = MOVED[name]
    [line] = lines(journal(tmp_path, charged, returned))
    assert (line.invariant, line.verdict) == ("I7", Verdict.VIOLATED)
    assert said in line.detail
