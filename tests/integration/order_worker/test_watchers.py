"""`order_worker serve` as a process with 2,000 watchers, 500 of whom read nothing: its memory, and how late a move is
told to those who read."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import psutil
import pytest

from kernel.stock.results import ReserveRequest
from meshkit.clock import wall_ms
from meshkit.identity import Role, TokenIssuer
from order_worker.write_results import write_results
from peakmesh.event.v1.events_pb2 import AcceptedOrder, PaymentOutcome, PaymentResult
from peakmesh.order.v1 import order_pb2 as pb
from peakmesh.order.v1 import order_service_pb2 as api
from peakmesh.order.v1 import order_service_pb2_grpc as rpc
from tests.integration.order_worker.never_reads import NeverReads, connected
from tests.integration.order_worker.world import World, accepted, people
from tests.polling import eventually
from tools import devstack
from tools.devstack.spec import Mesh

WATCHERS, ASLEEP, BATCH = 2_000, 500, 200
CONNECTIONS, ASLEEP_CONNECTIONS = 4, 5
METHOD = "/peakmesh.order.v1.OrderService/WatchOrder"


@pytest.fixture(scope="module")
def serving(own_mesh: Mesh) -> Iterator[Mesh]:
    devstack.up(own_mesh.run_dir, own_mesh.port_base, only=["order_serve_0"])
    try:
        yield own_mesh
    finally:
        devstack.stop_process("order_serve_0", own_mesh)


class Streams:
    """Watches with a service's token, over a few connections as Envoy has them."""

    def __init__(self, channels: list[Any], issuer: TokenIssuer) -> None:
        self._stubs: list[Any] = [rpc.OrderServiceStub(each) for each in channels]
        self._metadata = (("authorization", f"Bearer {issuer.issue('shop', Role.SERVICE)}"),)
        self._opened = 0

    def open(self, order_id: str) -> Any:
        self._opened += 1
        stub = self._stubs[self._opened % len(self._stubs)]
        return stub.WatchOrder(api.WatchOrderRequest(order_id=order_id), metadata=self._metadata)


@pytest.fixture
async def streams(serving: Mesh) -> AsyncIterator[Streams]:
    # A subchannel pool of its own each, else all share one connection.
    target, options = f"127.0.0.1:{serving.ports['order_serve_0']}", (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(CONNECTIONS)]
    yield Streams(channels, TokenIssuer(serving.settings.identity_dir))
    for each in channels:
        await each.close()


def state_of(answer: api.WatchOrderResponse) -> str:
    return pb.OrderState.Name(answer.order.state).removeprefix("ORDER_STATE_")


def memory_mb(mesh: Mesh) -> float:
    [pid] = [
        row.pid for row in devstack.status(mesh.run_dir, mesh.port_base) if row.name == "order_serve_0" and row.pid
    ]
    return float(psutil.Process(pid).memory_info().rss) / 2**20


@dataclass
class Sleepers:
    """Watchers that read nothing: their connections' windows are shut."""

    clients: Sequence[NeverReads]
    calls: Sequence[tuple[NeverReads, int]]

    @classmethod
    async def of(cls, serving: Mesh, order_ids: Sequence[str]) -> "Sleepers":
        token = TokenIssuer(serving.settings.identity_dir).issue("shop", Role.SERVICE)
        clients = await connected(serving.ports["order_serve_0"], ASLEEP_CONNECTIONS)
        sharing = [(clients[place % ASLEEP_CONNECTIONS], each) for place, each in enumerate(order_ids)]
        calls = [(client, client.call(METHOD, token, api.WatchOrderRequest(order_id=each))) for client, each in sharing]
        return cls(clients, calls)

    def were_told_nothing(self) -> bool:
        return not any(client.received for client in self.clients)

    async def wake(self, messages: int) -> list[list[str]]:
        """The states each is told now that it reads; connections are closed behind it."""
        for client in self.clients:
            client.open_windows()
        for client, number in self.calls:
            await eventually(lambda c=client, n=number: len(c.messages(n)) == messages)  # type: ignore[misc]
        told = [[state_of(api.WatchOrderResponse.FromString(each)) for each in c.messages(n)] for c, n in self.calls]
        for client in self.clients:
            await client.close()
        return told


async def test_two_thousand_watchers_on_one_process(
    world: World, serving: Mesh, streams: Streams, figure: Callable[[str], None]
) -> None:
    of = await world.open_offer(units=WATCHERS)
    placed = [accepted(of, user) for user in people(WATCHERS)]
    for start in range(0, WATCHERS, BATCH):
        await world.write(placed[start : start + BATCH])
    await world.start_steps([order.order_id for order in placed])
    before = memory_mb(serving)
    told: dict[str, list[tuple[str, float]]] = {order.order_id: [] for order in placed}

    # gRPC's own guard drops some of a burst of more than 1,000 calls that no handler has taken yet.
    arriving = asyncio.Semaphore(200)

    async def read(order: AcceptedOrder) -> None:
        async with arriving:
            stream = streams.open(order.order_id)
            answer = await stream.read()
        while answer is not grpc.aio.EOF:
            told[order.order_id].append((state_of(answer), time.monotonic()))
            answer = await stream.read()

    asleep, awake = placed[:ASLEEP], placed[ASLEEP:]
    sleepers = await Sleepers.of(serving, [order.order_id for order in asleep])
    reading = [asyncio.create_task(read(order)) for order in awake]
    began = time.monotonic()
    await eventually(lambda: all(told[order.order_id] for order in awake), within=20)
    shown = time.monotonic() - began
    peak = memory_mb(serving)
    committed: dict[str, float] = {}
    for start in range(0, WATCHERS, BATCH):
        part = placed[start : start + BATCH]
        await write_results(world.engine, [settled(order) for order in part], wall_ms())
        committed |= dict.fromkeys((order.order_id for order in part), time.monotonic())
        readers = reading[max(0, start - ASLEEP) : max(0, start + BATCH - ASLEEP)]
        await asyncio.gather(*readers)
    await asyncio.gather(*reading)
    late = sorted(told[order.order_id][-1][1] - committed[order.order_id] for order in awake)
    peak = max(peak, memory_mb(serving))
    figure(
        f"{WATCHERS} watchers, {ASLEEP} of them reading nothing: all shown within {shown:.2f} s,"
        f" resident {before:.0f} -> {peak:.0f} MB,"
        f" a move told after p50 {late[len(late) // 2]:.3f} s, max {late[-1]:.3f} s"
    )
    assert peak - before < 100
    assert late[-1] < 1
    for order in awake:
        assert [state for state, _ in told[order.order_id]] == ["PAYING", "PAID", "TO_SHIP"]
    assert sleepers.were_told_nothing()
    # Nothing was dropped for them: once they read, they are told all of it.
    assert await sleepers.wake(messages=3) == [["PAYING", "PAID", "TO_SHIP"]] * ASLEEP


def settled(order: AcceptedOrder) -> PaymentResult:
    return PaymentResult(order_id=order.order_id, outcome=PaymentOutcome.PAYMENT_OUTCOME_SETTLED, shipping_minor=490)


async def test_an_order_is_watched_from_before_kafka_has_it(world: World, streams: Streams) -> None:
    of = await world.open_offer(units=1)
    order = accepted(of, people(1)[0])
    request = ReserveRequest(order.order_id, order.user_id, order.request_id, "hash", 1, 1, b"e", 600_000)
    [reserved] = await world.stock.reserve(of.offer_no, 0, 1, [request])
    await world.stock.mark_pending(1, order.order_id)
    stream = streams.open(order.order_id)
    assert state_of(await stream.read()) == "PENDING"
    await world.stock.outbox_delete(of.offer_no, 0, 1, [reserved.entry_id])
    assert state_of(await stream.read()) == "QUEUED"
    await world.write([order])
    assert state_of(await stream.read()) == "CREATED"
    await world.start_step(order.order_id)
    assert state_of(await stream.read()) == "PAYING"
    await write_results(world.engine, [settled(order)], wall_ms())
    assert [state_of(await stream.read()) for _ in range(2)] == ["PAID", "TO_SHIP"]
    assert await stream.read() is grpc.aio.EOF
