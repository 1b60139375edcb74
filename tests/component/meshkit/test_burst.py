"""A flash sale's first second: more calls at once than gRPC by default lets wait."""

import asyncio
from typing import Any

import grpc

from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import PENDING_CALLS, serving

CALLS = 3_000
METHOD = "/peakmesh.test.v1.Burst/Echo"


class Slow(grpc.GenericRpcHandler):
    """Holds the loop for a moment with each call, as a busy process does."""

    def service(self, details: Any) -> Any:
        async def echo(body: bytes, _context: Any) -> bytes:
            return bytes(sorted(body * 20_000)[:1])

        return grpc.unary_unary_rpc_method_handler(echo, bytes, bytes) if details.method == METHOD else None


async def test_a_burst_waits_and_loses_no_call() -> None:
    def register(server: grpc.aio.Server) -> None:
        server.add_generic_rpc_handlers((Slow(),))

    server = serving(
        port=0, register=register, services=[], access=Access(), at_once=AtOnce(PENDING_CALLS), drain_seconds=0
    )
    async with server as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(METHOD)
        answers = await asyncio.gather(*(call(b"x", timeout=60) for _ in range(CALLS)), return_exceptions=True)
    assert [answer for answer in answers if answer != b"x"] == []
