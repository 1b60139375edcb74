"""Headers that gRPC cannot read: refused by name to who sent them, and nobody else's call suffers."""

import asyncio
import base64
import http.client
from collections import Counter

import grpc
import pytest
from google.rpc.status_pb2 import Status

from meshkit.errors import InvalidFields
from meshkit.rpc.status import from_status
from tests.integration.envoy.mesh import GET_SALE, PLACE_ORDER, QUOTE_PROMOTION, Mesh, raw, upstream

FRAME = b"\x00\x00\x00\x00\x00"  # an empty message: no compression, length 0


async def said(mesh: Mesh, door: str, method: str, kind: str, **headers: str) -> tuple[dict[str, str], bytes]:
    """The answer's headers and body. Over HTTP/1.1: a gRPC client would send none of these headers."""

    def post() -> tuple[dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", mesh.ports[door], timeout=10)
        carried = dict(mesh.bearer()) | {"content-type": kind, "te": "trailers"}
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("POST", method, FRAME, carried | told)
            answer = connection.getresponse()
            return {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(post)


async def honest(mesh: Mesh, door: str, method: str) -> Counter[str]:
    """How thirty calls end, each with another deadline, on a connection of their own. A few more may be late: of a busy
    machine one passes the 45 ms of a quote's route."""
    ends: Counter[str] = Counter()
    late = 0
    async with mesh.channel(door) as channel:
        while ends.total() < 30 and late < 5:
            try:
                await raw(channel, method)(b"", metadata=mesh.bearer(), timeout=5 + ends.total() / 10)
                ends["OK"] += 1
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    late += 1
                else:
                    ends[f"{error.code().name} {error.details()}"] += 1
    return ends


@pytest.mark.parametrize(("door", "method", "port", "cluster", "kind"), [
    ("gateway", PLACE_ORDER, "checkout_0", "checkout", "application/grpc-web+proto"),
    ("gateway", PLACE_ORDER, "checkout_0", "checkout", "application/grpc"),
    ("operators", GET_SALE, "governor", "governor", "application/grpc"),
])  # fmt: skip
@pytest.mark.parametrize(("header", "value"), [
    ("grpc-timeout", "abc"), ("grpc-timeout", "999999999S"), ("grpc-timeout", "1S,2S"), ("grpc-timeout", ""),
    ("grpc-encoding", "snappy"),
])  # fmt: skip
async def test_what_no_server_can_read_is_refused_by_its_name(
    mesh: Mesh, door: str, method: str, port: str, cluster: str, kind: str, header: str, value: str
) -> None:
    async with upstream(mesh.ports[port]) as behind:
        await mesh.healthy(cluster, 1)
        told, _ = await said(mesh, door, method, kind, **{header: value})
        assert behind.calls == []
    error = from_status(Status.FromString(base64.b64decode(told["grpc-status-details-bin"] + "==")), "gateway")
    assert isinstance(error, InvalidFields)
    assert (told["grpc-status"], told["grpc-message"]) == ("3", error.message)
    assert [field for field, _ in error.violations] == [header]


@pytest.mark.parametrize(("header", "value"), [
    ("grpc-timeout", "3S"), ("grpc-encoding", "gzip"), ("a-bin", "%%%"), ("grpc-trace-bin", "%"),
    ("grpc-previous-rpc-attempts", "x"), ("grpc-accept-encoding", "x"), ("grpc-internal-encoding-request", "x"),
    ("grpc-status", "x"), ("grpc-message", "%%"), ("grpc-retry-pushback-ms", "x"), ("lb-token", "x"),
    ("traceparent", "00-\xff\xfe"), ("user-agent", "\xff"),
])  # fmt: skip
async def test_what_nobody_reads_or_all_can_is_no_trouble(mesh: Mesh, header: str, value: str) -> None:
    async with upstream(mesh.ports["checkout_0"]) as behind:
        await mesh.healthy("checkout", 1)
        _, body = await said(mesh, "gateway", PLACE_ORDER, "application/grpc-web+proto", **{header: value})
        assert len(behind.calls) == 1
        assert b"grpc-status:0" in body
        assert await honest(mesh, "gateway", PLACE_ORDER) == {"OK": 30}


@pytest.mark.parametrize("header", ["grpc-timeout", "grpc-encoding", "grpc-previous-rpc-attempts", "a-bin"])
async def test_one_callers_broken_header_breaks_nobody_elses_calls(mesh: Mesh, header: str) -> None:
    """Sent where no door refuses it: all callers share the connection to the server behind."""
    async with upstream(mesh.ports["promo"]):
        await mesh.healthy("promo", 1)
        await said(mesh, "egress", QUOTE_PROMOTION, "application/grpc", **{header: "%abc"})
        assert await honest(mesh, "egress", QUOTE_PROMOTION) == {"OK": 30}
