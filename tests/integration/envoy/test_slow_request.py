"""A request that does not arrive: its caller is told so, and nothing waits for it for ever."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.integration.envoy.mesh import GET_SALE, PLACE_ORDER, Mesh, running_envoy, timed, upstream


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """An Envoy that waits one second for a request."""
    with running_envoy(tmp_path_factory.mktemp("hasty"), PEAKMESH_REQUEST_SECONDS="1") as running:
        yield running


async def dripped(mesh: Mesh, door: str, path: str, kind: str) -> str:
    """The answer's head, to a message of 1,000 bytes of which one arrives every 0.2 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mesh.ports[door])
    head = {"host": "shop", "content-type": kind, "content-length": "1000", "te": "trailers", **dict(mesh.bearer())}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    writer.write("\r\n".join(lines).encode())

    async def drip() -> None:
        while True:
            writer.write(b"\0")
            await writer.drain()
            await asyncio.sleep(0.2)

    dripping = asyncio.create_task(drip())
    try:
        return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        writer.close()


@pytest.mark.parametrize(("door", "path", "kind", "told"), [
    ("gateway", PLACE_ORDER, "application/grpc", "grpc-status: 4"),
    ("operators", GET_SALE, "application/grpc", "grpc-status: 4"),
    ("gateway", "/v1/orders", "application/json", "HTTP/1.1 408"),
])  # fmt: skip
async def test_a_message_that_drips_is_given_up(hasty: Mesh, door: str, path: str, kind: str, told: str) -> None:
    async with upstream(hasty.ports["checkout_0"]) as behind:
        async with timed() as seconds:
            answer = await dripped(hasty, door, path, kind)
        assert behind.calls == []
    assert told in answer
    assert 0.9 < seconds[0] < 5
