"""The wallet against a model of it: any sequence of calls, any keys, repeats and all."""

from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshkit.errors import KeyBarred, KeyNotFound
from tests.unit.providers.books import faults
from tools.providers.journal import Journal
from tools.providers.wallet import Debit, Wallet

OPENING = 500
users = st.sampled_from(["ann", "bob"])
orders = st.sampled_from(["o1", "o2", "o3", "o4"])
amounts = st.integers(1, 400)


class WalletRules(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal(Path(":memory:"))
        self.wallet = Wallet(self.journal, OPENING, declines=lambda key: key.startswith("o4"))
        self.money: dict[str, int] = {}
        self.debits: dict[str, Debit] = {}
        self.given_back: dict[str, str] = {}

    def teardown(self) -> None:
        self.journal.close()

    @rule(order=orders, user=users, amount=amounts)
    def debit(self, order: str, user: str, amount: int) -> None:
        known = self.debits.get(order)
        try:
            answer = self.wallet.debit(f"{order}:debit", user, amount, "EUR")
        except KeyBarred:
            assert known is not None
            assert (known.user_id, known.amount_minor) != (user, amount)
            return
        if known is not None:
            assert answer == known
            return
        held = self.money.setdefault(user, OPENING) if order != "o4" else self.money.get(user, OPENING)
        assert answer.state == ("DONE" if amount <= held and order != "o4" else "DECLINED")
        assert bool(answer.transfer_id) == (answer.state == "DONE")
        if answer.state == "DONE":
            self.money[user] -= amount
        self.debits[order] = answer

    @rule(order=orders)
    def void(self, order: str) -> None:
        known = self.debits.get(order)
        answer = self.wallet.void(f"{order}:debit")
        assert answer.state == "VOIDED"
        took = known is not None and bool(known.transfer_id)
        assert bool(answer.refund_transfer_id) == took
        self.give_back(order, answer.refund_transfer_id)
        self.debits[order] = answer

    @rule(order=orders)
    def refund(self, order: str) -> None:
        known = self.debits.get(order)
        try:
            transfer_id = self.wallet.refund(f"{order}:refund", f"{order}:debit")
        except KeyNotFound:
            assert known is None or not known.transfer_id
            return
        assert known is not None
        assert known.transfer_id
        self.give_back(order, transfer_id)
        self.debits[order] = self.wallet.find(f"{order}:debit")

    def give_back(self, order: str, transfer_id: str) -> None:
        """Once a debit, and the same transfer ever after."""
        if not transfer_id:
            return
        if order not in self.given_back:
            self.given_back[order] = transfer_id
            self.money[self.debits[order].user_id] += self.debits[order].amount_minor
        assert self.given_back[order] == transfer_id

    @rule(user=users, amount=st.integers(0, 900))
    def set_balance(self, user: str, amount: int) -> None:
        self.wallet.set_balances([user], amount, "EUR")
        self.money[user] = amount

    @invariant()
    def the_books_hold(self) -> None:
        assert self.journal.run(faults) == {}
        for user in ("ann", "bob"):
            assert self.wallet.balance(user, "EUR") == self.money.get(user, OPENING)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        for order, debit in self.debits.items():
            assert self.wallet.find(f"{order}:debit") == debit


TestWalletRules = WalletRules.TestCase
TestWalletRules.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
