"""The wallet over a real channel: idempotency, races, refusals."""

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random

import grpc
import pytest
from google.type.money_pb2 import Money

from meshkit.errors import InvalidFields, KeyBarred, KeyNotFound, PeakmeshError
from meshkit.money import from_minor
from meshkit.rpc.client import typed_error
from peakmesh.provider.v1 import wallet_service_pb2 as pb
from tests.component.providers.conftest import Sandbox
from tests.unit.providers.books import faults


def debit(order: str, minor: int = 2500, user: str = "ann") -> pb.DebitRequest:
    return pb.DebitRequest(idempotency_key=f"{order}:debit", user_id=user, amount=from_minor(minor, "EUR"))


def refused(call: object, request: object) -> PeakmeshError:
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=5)  # type: ignore[operator]
    return typed_error(raised.value, "wallet")


def balance(sandbox: Sandbox, user: str = "ann") -> int:
    money = sandbox.wallet.GetBalance(pb.GetBalanceRequest(user_id=user), timeout=5).balance
    assert money.currency_code == "EUR"
    return int(money.units * 100 + money.nanos // 10_000_000)


def test_a_debit_is_taken_once_and_a_decline_is_remembered(sandbox: Sandbox) -> None:
    first = sandbox.wallet.Debit(debit("o1", 7_000), timeout=5)
    assert first.debit.state == pb.DEBIT_STATE_DONE
    assert sandbox.wallet.Debit(debit("o1", 7_000), timeout=5) == first
    declined = sandbox.wallet.Debit(debit("o2", 7_000), timeout=5).debit
    assert (declined.state, declined.transfer_id) == (pb.DEBIT_STATE_DECLINED, "")
    rich = pb.SetBalanceRequest(user_ids=["ann"], balance=from_minor(50_000, "EUR"))
    sandbox.wallet.SetBalance(rich, timeout=5)
    assert sandbox.wallet.Debit(debit("o2", 7_000), timeout=5).debit == declined
    assert balance(sandbox) == 50_000
    assert isinstance(refused(sandbox.wallet.Debit, debit("o1", 7_001)), KeyBarred)
    found = sandbox.wallet.GetDebit(pb.GetDebitRequest(idempotency_key="o1:debit"), timeout=5)
    assert found.debit == first.debit


def test_money_goes_back_once_by_refund_or_by_void(sandbox: Sandbox) -> None:
    for order in ("o1", "o2"):
        assert sandbox.wallet.Debit(debit(order), timeout=5).debit.state == pb.DEBIT_STATE_DONE
    refund = pb.RefundRequest(idempotency_key="o1:refund", debit_key="o1:debit")
    transfer_id = sandbox.wallet.Refund(refund, timeout=5).transfer_id
    assert sandbox.wallet.Refund(refund, timeout=5).transfer_id == transfer_id
    assert sandbox.wallet.Void(pb.VoidRequest(idempotency_key="o1:debit"), timeout=5).refunded
    for _ in range(2):
        voided = sandbox.wallet.Void(pb.VoidRequest(idempotency_key="o2:debit"), timeout=5)
        assert (voided.debit.state, voided.refunded) == (pb.DEBIT_STATE_VOIDED, True)
    assert balance(sandbox) == 10_000
    other = pb.RefundRequest(idempotency_key="o9:refund", debit_key="o1:debit")
    assert isinstance(refused(sandbox.wallet.Refund, other), KeyBarred)


def test_a_key_barred_before_its_debit_came_takes_nothing(sandbox: Sandbox) -> None:
    assert isinstance(refused(sandbox.wallet.GetDebit, pb.GetDebitRequest(idempotency_key="o1:debit")), KeyNotFound)
    voided = sandbox.wallet.Void(pb.VoidRequest(idempotency_key="o1:debit"), timeout=5)
    assert (voided.debit.state, voided.refunded) == (pb.DEBIT_STATE_VOIDED, False)
    assert sandbox.wallet.Debit(debit("o1"), timeout=5).debit.state == pb.DEBIT_STATE_VOIDED
    assert balance(sandbox) == 10_000
    refund = pb.RefundRequest(idempotency_key="o1:refund", debit_key="o1:debit")
    assert isinstance(refused(sandbox.wallet.Refund, refund), KeyNotFound)


def test_debits_and_voids_that_race_leave_no_money_taken(sandbox: Sandbox) -> None:
    seed = 20_261
    print(f"seed {seed}")
    calls = [(order, kind) for order in range(40) for kind in ("debit", "debit", "void", "refund")]
    Random(seed).shuffle(calls)

    def make(order: int, kind: str) -> None:
        if kind == "debit":
            sandbox.wallet.Debit(debit(f"r{order}", 100), timeout=10)
        elif kind == "void":
            sandbox.wallet.Void(pb.VoidRequest(idempotency_key=f"r{order}:debit"), timeout=10)
        else:
            request = pb.RefundRequest(idempotency_key=f"r{order}:refund", debit_key=f"r{order}:debit")
            try:
                sandbox.wallet.Refund(request, timeout=10)
            except grpc.RpcError as error:
                if not isinstance(typed_error(error, "wallet"), KeyNotFound):
                    raise

    with ThreadPoolExecutor(32) as threads:
        for done in [threads.submit(make, *call) for call in calls]:
            done.result()
    assert balance(sandbox) == 10_000
    with sqlite3.connect(f"file:{sandbox.settings.journal}?mode=ro", uri=True) as db:
        assert faults(db) == {}
        assert db.execute("SELECT DISTINCT state FROM debits").fetchall() == [("VOIDED",)]


def test_a_wallet_is_never_overdrawn_by_calls_at_once(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda n: sandbox.wallet.Debit(debit(f"p{n}", 3_000), timeout=10), range(32)))
    states = Counter(answer.debit.state for answer in answers)
    assert states == {pb.DEBIT_STATE_DONE: 3, pb.DEBIT_STATE_DECLINED: 29}
    assert balance(sandbox) == 1_000


def test_every_wrong_field_is_named(sandbox: Sandbox) -> None:
    bad = pb.DebitRequest(idempotency_key="{x}", user_id="", amount=Money(currency_code="EUR", units=-1))
    error = refused(sandbox.wallet.Debit, bad)
    assert isinstance(error, InvalidFields)
    assert [field for field, _ in error.violations] == ["idempotency_key", "user_id", "amount"]
    many = pb.SetBalanceRequest(user_ids=["ann", "a b"], balance=Money(currency_code="XXX"))
    error = refused(sandbox.wallet.SetBalance, many)
    assert isinstance(error, InvalidFields)
    assert [field for field, _ in error.violations] == ["user_ids[1]", "balance"]
