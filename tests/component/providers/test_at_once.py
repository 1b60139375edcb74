"""More calls than the sandbox has room for: told so at once, beside those that are waited for."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.errors import Overloaded
from meshkit.money import from_minor
from meshkit.rpc.client import typed_error
from peakmesh.provider.v1 import wallet_service_pb2 as pb
from tests.component.providers.conftest import Sandbox, free_base
from tools.providers.knobs import AllKnobs, Knobs
from tools.providers.server import running
from tools.providers.settings import Settings

# Longer than a busy machine stands still: what is refused is told apart from what waits by the time it took.
THREADS, MOST, LATENCY = 2, 4, 1.5


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Sandbox]:
    settings = Settings(
        port_base=free_base(), run_dir=tmp_path, drain_seconds=0, sandbox_threads=THREADS, sandbox_rpcs=MOST
    )
    with running(settings) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        sandbox = Sandbox(settings, channel)
        sandbox.turn(AllKnobs(wallet=Knobs(latency_ms=int(LATENCY * 1000))))
        yield sandbox


def debit(sandbox: Sandbox, number: int) -> tuple[Any, float]:
    """What came of it, and the seconds it took."""
    began = time.perf_counter()
    try:
        wallet: Any = sandbox.wallet
        request = pb.DebitRequest(idempotency_key=f"k{number}", user_id="ana", amount=from_minor(1, "EUR"))
        answer = wallet.Debit(request, timeout=10)
    except grpc.RpcError as error:
        answer = error
    return answer, time.perf_counter() - began


def test_one_too_many_is_refused_at_once_and_health_is_told_meanwhile(small: Sandbox) -> None:
    health: Any = health_pb2_grpc.HealthStub(small.channel)
    health.Check(health_pb2.HealthCheckRequest(), timeout=5)
    with ThreadPoolExecutor(12) as callers:
        ends = [callers.submit(debit, small, number) for number in range(12)]
        began = time.perf_counter()
        told = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
        # Four calls of half a second on two threads are in front of it, were it to wait for one.
        assert time.perf_counter() - began < LATENCY
        assert told.status == health_pb2.HealthCheckResponse.SERVING
        found = [each.result() for each in ends]
    refused = [(error, took) for error, took in found if isinstance(error, grpc.RpcError)]
    assert len(found) - len(refused) == MOST
    error: Any
    for error, took in refused:
        overload = typed_error(error, "wallet")
        assert isinstance(overload, Overloaded)
        assert overload.retry_after == 1.0
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
        assert took < LATENCY
    small.turn(AllKnobs())
    answer, _ = debit(small, 99)
    assert answer.debit.user_id == "ana"


def test_by_default_it_has_room_for_what_it_answers_in_time(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(64) as callers:
        found = [each.result()[0] for each in [callers.submit(debit, sandbox, number) for number in range(64)]]
    assert not [each for each in found if isinstance(each, grpc.RpcError)]
