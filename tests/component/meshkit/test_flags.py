"""A process's flags against a real flagd sync server: what is told arrives, and outlives who told it."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2 as pb
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2_grpc as rpc

from kernel.features.follow import gates
from meshkit.errors import FeatureDisabled
from meshkit.flags import Flags, following_flags
from tests.polling import eventually

DEFAULTS = {"one": True, "two": False}


@dataclass
class SyncServer(rpc.FlagSyncServiceServicer):
    """As flagd does it: the whole configuration at once, then again at each change."""

    states: Mapping[str, bool]
    listeners: list[asyncio.Queue[None]] = field(default_factory=list)

    async def SyncFlags(self, _request: pb.SyncFlagsRequest, _context: Any) -> AsyncIterator[pb.SyncFlagsResponse]:
        queue: asyncio.Queue[None] = asyncio.Queue()
        self.listeners.append(queue)
        while True:
            yield pb.SyncFlagsResponse(flag_configuration=_document(self.states))
            await queue.get()

    async def FetchAllFlags(self, _request: pb.FetchAllFlagsRequest, _context: Any) -> pb.FetchAllFlagsResponse:
        return pb.FetchAllFlagsResponse(flag_configuration=_document(self.states))

    async def GetMetadata(self, _request: pb.GetMetadataRequest, context: Any) -> pb.GetMetadataResponse:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "none")
        raise AssertionError("abort returned")

    def tell(self, **states: bool) -> None:
        self.states = states
        for queue in self.listeners:
            queue.put_nowait(None)


def _document(states: Mapping[str, bool]) -> str:
    variants = {"on": True, "off": False}
    flags = {
        name: {"state": "ENABLED", "variants": variants, "defaultVariant": "on" if on else "off"}
        for name, on in states.items()
    }
    return json.dumps({"flags": flags})


@asynccontextmanager
async def sync_server(port: int, **states: bool) -> AsyncIterator[SyncServer]:
    server, told = grpc.aio.server(options=(("grpc.so_reuseport", 0),)), SyncServer(states)
    rpc.add_FlagSyncServiceServicer_to_server(told, server)
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    await server.start()
    try:
        yield told
    finally:
        await server.stop(None)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_change_arrives_within_a_second_and_the_last_one_outlives_the_server() -> None:
    port = free_port()
    async with following_flags(f"127.0.0.1:{port}", DEFAULTS) as flags:
        async with sync_server(port, one=True, two=True) as server:
            await eventually(lambda: flags.is_on("two"))
            began = time.monotonic()
            server.tell(one=False, two=True)
            await eventually(lambda: not flags.is_on("one"), within=1, every=0.001)
            print(f"a change arrived after {(time.monotonic() - began) * 1000:.1f} ms")
        # Long enough for the provider to notice, and to have told its own error.
        gone = time.monotonic()
        await eventually(lambda: time.monotonic() - gone > 1.5)
        assert flags.states() == {"one": False, "two": True}
        async with sync_server(port, one=True, two=False):
            began = time.monotonic()
            await eventually(lambda: flags.states() == {"one": True, "two": False})
            print(f"a server that came back was heard after {time.monotonic() - began:.2f} s")


async def test_without_a_server_the_defaults_hold_and_nobody_waits() -> None:
    async def waited() -> float:
        began = time.monotonic()
        async with following_flags(f"127.0.0.1:{free_port()}", DEFAULTS) as flags:
            took = time.monotonic() - began
            await eventually(lambda: time.monotonic() - began > 1.0)
            assert flags.states() == DEFAULTS
        return took

    assert min(await waited(), await waited()) < 0.5, "at its best: the machine is shared"


async def test_no_thread_holds_up_the_end_of_a_process_whose_server_has_gone() -> None:
    port = free_port()
    async with following_flags(f"127.0.0.1:{port}", DEFAULTS) as flags:
        async with sync_server(port, one=True, two=True):
            await eventually(lambda: flags.is_on("two"))
        gone = time.monotonic()
        await eventually(lambda: time.monotonic() - gone > 0.7)
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert [timer for timer in timers if timer.is_alive()] == []


async def test_what_is_told_of_other_flags_is_passed_over() -> None:
    port = free_port()
    async with sync_server(port, one=False, three=True), following_flags(f"127.0.0.1:{port}", DEFAULTS) as flags:
        await eventually(lambda: not flags.is_on("one"))
        assert flags.states() == {"one": False, "two": False}


def test_a_gate_refuses_while_its_feature_is_off_and_other_methods_have_none() -> None:
    flags = Flags({"purchase-history": True})
    gate = gates(flags)["/peakmesh.order.v1.OrderService/ListOrders"]
    gate()
    flags.replace({"purchase-history": False})
    with pytest.raises(FeatureDisabled) as raised:
        gate()
    assert (raised.value.metadata, raised.value.retry_after) == ({"feature": "purchase-history"}, 30.0)
    assert "/peakmesh.checkout.v1.CheckoutService/PlaceOrder" not in gates(flags)
