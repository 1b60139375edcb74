"""The knobs, on the running server."""

import time

import grpc
import pytest

from meshkit.errors import DependencyUnavailable, KeyNotFound
from meshkit.money import from_minor
from meshkit.rpc.client import typed_error
from peakmesh.provider.v1 import loyalty_service_pb2 as loyalty
from peakmesh.provider.v1 import wallet_service_pb2 as pb
from tests.component.providers.conftest import Sandbox
from tools.providers.knobs import AllKnobs, Knobs


def debit(order: str) -> pb.DebitRequest:
    return pb.DebitRequest(idempotency_key=f"{order}:debit", user_id="ann", amount=from_minor(100, "EUR"))


def query(order: str) -> pb.GetDebitRequest:
    return pb.GetDebitRequest(idempotency_key=f"{order}:debit")


def test_done_but_not_answered_is_found_by_its_key(sandbox: Sandbox) -> None:
    sandbox.turn(AllKnobs(wallet=Knobs(lost_answer=1)))
    with pytest.raises(grpc.RpcError) as raised:
        sandbox.wallet.Debit(debit("o1"), timeout=0.5)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    found = sandbox.wallet.GetDebit(query("o1"), timeout=5).debit
    assert found.state == pb.DEBIT_STATE_DONE
    sandbox.turn(AllKnobs())
    assert sandbox.wallet.Debit(debit("o1"), timeout=5).debit == found


def test_an_error_does_nothing_and_spares_the_other_providers(sandbox: Sandbox) -> None:
    sandbox.turn(AllKnobs(wallet=Knobs(error=1)))
    with pytest.raises(grpc.RpcError) as raised:
        sandbox.wallet.Debit(debit("o1"), timeout=5)
    error = typed_error(raised.value, "egress")
    assert isinstance(error, DependencyUnavailable)
    assert error.dependency == "wallet"
    coins = loyalty.GrantCoinsRequest(idempotency_key="o1:coins", user_id="ann", amount=from_minor(100, "EUR"))
    assert sandbox.loyalty.GrantCoins(coins, timeout=5).grant.coins == 1
    sandbox.turn(AllKnobs())
    with pytest.raises(grpc.RpcError) as raised:
        sandbox.wallet.GetDebit(query("o1"), timeout=5)
    assert isinstance(typed_error(raised.value, "wallet"), KeyNotFound)


def test_a_decline_is_recorded(sandbox: Sandbox) -> None:
    sandbox.turn(AllKnobs(wallet=Knobs(decline=1)))
    declined = sandbox.wallet.Debit(debit("o1"), timeout=5).debit
    assert (declined.state, declined.reason) == (pb.DEBIT_STATE_DECLINED, "the provider declined")
    sandbox.turn(AllKnobs())
    assert sandbox.wallet.Debit(debit("o1"), timeout=5).debit == declined


def test_latency_is_waited_for(sandbox: Sandbox) -> None:
    sandbox.turn(AllKnobs(wallet=Knobs(latency_ms=150)))
    started = time.perf_counter()
    sandbox.wallet.Debit(debit("o1"), timeout=5)
    assert time.perf_counter() - started >= 0.15
