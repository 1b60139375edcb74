"""A peer whose bytes nobody can read: its caller hears of a dependency that failed, and of nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from meshkit.errors import DeadlinePassed, DependencyUnavailable, PeakmeshError
from meshkit.rpc.client import call, channel
from meshkit.rpc.status import STATUS_KEY
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc

Failure = tuple[StatusCode, bytes]
Ask = Callable[[Failure | None], Awaitable[PeakmeshError]]
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
BROKEN = b"\xff\xff"
BROKEN_PART = Status(code=14, details=[AnyMessage(type_url=ERROR_INFO, value=BROKEN)]).SerializeToString()


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """One call to a server that fails so, with such details; without a failure its answer is no message."""
    failures: list[Failure | None] = []

    async def handle(_request: bytes, context: Any) -> bytes:
        if failure := failures.pop():
            await context.abort(failure[0], "words", ((STATUS_KEY, failure[1]),))
        return BROKEN

    methods: dict[str, Any] = {"QuotePromotion": grpc.unary_unary_rpc_method_handler(handle)}
    service = grpc.method_handlers_generic_handler("peakmesh.promotion.v1.PromotionService", methods)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([service])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async def asked(failure: Failure | None) -> PeakmeshError:
        failures.append(failure)
        with pytest.raises(PeakmeshError) as raised:
            await call(stub.QuotePromotion, pb.QuotePromotionRequest(), timeout=5, dependency="peer")
        return raised.value

    async with channel(f"127.0.0.1:{port}") as wire:
        stub: Any = rpc.PromotionServiceStub(wire)
        yield asked
    await server.stop(0)


@pytest.mark.parametrize("details", [BROKEN, BROKEN_PART], ids=["status", "part"])
async def test_of_details_nobody_can_read_the_code_alone_decides(ask: Ask, details: bytes) -> None:
    error = await ask((StatusCode.RESOURCE_EXHAUSTED, details))
    assert isinstance(error, DependencyUnavailable)
    assert (error.dependency, error.status) == ("peer", StatusCode.RESOURCE_EXHAUSTED)
    assert isinstance(await ask((StatusCode.DEADLINE_EXCEEDED, details)), DeadlinePassed)


async def test_a_code_that_grpc_does_not_have_is_a_failure_too(ask: Ask) -> None:
    error = await ask((StatusCode.ABORTED, Status(code=99, message="odd").SerializeToString()))
    assert isinstance(error, DependencyUnavailable)
    assert error.status is StatusCode.UNKNOWN


async def test_an_answer_nobody_can_read_is_none(ask: Ask) -> None:
    error = await ask(None)
    assert isinstance(error, DependencyUnavailable)
    assert error.status is StatusCode.INTERNAL
