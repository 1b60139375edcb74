"""A server that is full refuses what is sheddable first, and nobody works on what nobody waits for."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from meshkit.errors import Overloaded
from meshkit.rpc.client import call, channel
from meshkit.rpc.criticality import HEADER, Criticality
from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import serving
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from tests.polling import eventually

SERVICE = "peakmesh.promotion.v1.PromotionService"
SHEDDABLE = ((HEADER, Criticality.SHEDDABLE.value),)


class Slow(rpc.PromotionServiceServicer):
    """Answers once it is let go."""

    def __init__(self) -> None:
        self.inside, self.go, self.busy = 0, asyncio.Event(), threading.Event()

    async def QuotePromotion(self, request: pb.QuotePromotionRequest, context: Any) -> pb.QuotePromotionResponse:
        """Keeps the loop to itself for as many ms as the voucher says."""
        self.inside += 1
        self.busy.set()
        until = time.monotonic() + int(request.voucher_code) / 1000
        while time.monotonic() < until:
            pass
        return pb.QuotePromotionResponse()

    async def FreeHolds(self, request: pb.FreeHoldsRequest, context: Any) -> pb.FreeHoldsResponse:
        return pb.FreeHoldsResponse()

    async def ListVouchers(self, request: pb.ListVouchersRequest, context: Any) -> pb.ListVouchersResponse:
        self.inside += 1
        await self.go.wait()
        return pb.ListVouchersResponse()


@pytest.fixture
async def served() -> AsyncIterator[tuple[grpc.aio.Channel, Slow]]:
    slow = Slow()

    def register(server: grpc.aio.Server) -> None:
        rpc.add_PromotionServiceServicer_to_server(slow, server)

    server = serving(
        port=0,
        register=register,
        services=[SERVICE],
        access=Access(),
        at_once=AtOnce(all=6, sheddable=3),
        drain_seconds=0,
    )
    async with server as port, channel(f"127.0.0.1:{port}") as to:
        yield to, slow
        slow.go.set()


async def ask(to: grpc.aio.Channel, metadata: Any = ()) -> Any:
    stub: Any = rpc.PromotionServiceStub(to)
    return await call(stub.ListVouchers, pb.ListVouchersRequest(), timeout=5, dependency="promo", metadata=metadata)


async def test_what_is_sheddable_is_refused_first_and_the_rest_when_it_is_full(
    served: tuple[grpc.aio.Channel, Slow],
) -> None:
    to, slow = served
    calls = [asyncio.create_task(ask(to, SHEDDABLE)) for _ in range(3)]
    await eventually(lambda: slow.inside == 3)
    with pytest.raises(Overloaded) as raised:
        await ask(to, SHEDDABLE)
    assert raised.value.retry_after == 1.0
    calls += [asyncio.create_task(ask(to)) for _ in range(3)]
    await eventually(lambda: slow.inside == 6)
    for metadata in ((), SHEDDABLE):
        with pytest.raises(Overloaded):
            await ask(to, metadata)
    stub: Any = rpc.PromotionServiceStub(to)
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await stub.ListVouchers(pb.ListVouchersRequest(), timeout=5)
    assert dict(told.value.trailing_metadata() or ())["grpc-retry-pushback-ms"] == "1000"
    slow.go.set()
    assert len(await asyncio.gather(*calls)) == 6
    await ask(to, SHEDDABLE)


async def test_calls_whose_clients_gave_up_while_the_process_was_busy_are_not_begun() -> None:
    """Clients in threads of their own, since the loop is what is busy."""
    slow = Slow()

    def register(server: grpc.aio.Server) -> None:
        rpc.add_PromotionServiceServicer_to_server(slow, server)

    server = serving(
        port=0, register=register, services=[SERVICE], access=Access(), at_once=AtOnce(100), drain_seconds=0
    )
    async with server as port:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as to:
            quote: Any = rpc.PromotionServiceStub(to).QuotePromotion

            def ask_for(busy_ms: int, timeout: float) -> str:
                try:
                    quote(pb.QuotePromotionRequest(voucher_code=str(busy_ms)), timeout=timeout)
                except grpc.RpcError as error:
                    return str(error.code().name)
                return "OK"

            def ask_in_vain() -> str:
                assert slow.busy.wait(5)
                return ask_for(0, 0.2)

            waiting = [asyncio.to_thread(ask_in_vain) for _ in range(8)]
            long, *codes = await asyncio.gather(asyncio.to_thread(ask_for, 1000, 5), *waiting)
            assert (long, codes) == ("OK", ["DEADLINE_EXCEEDED"] * 8)
            # Once more, so that whatever had waited has had its turn.
            assert await asyncio.to_thread(ask_for, 0, 5) == "OK"
    assert slow.inside == 2
