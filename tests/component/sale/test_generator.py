"""The load generator process against a small real server: a whole history, honest latencies, one request_id a buyer."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest

from meshkit.errors import DependencyUnavailable, SoldOut
from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import serving
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc
from tools.sale.crowd import Crowd, GeneratorError
from tools.sale.history import read
from tools.sale.spec import Buyer, LoadSpec

STALL_SECONDS = 0.6


class Shop(rpc.CheckoutServiceServicer):
    """Answers by the buyer's place: 0 slowly, 1 PENDING at first, 2 unavailable at first, 3 sold out."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, int] = defaultdict(int)

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        self.seen[request.request_id] += 1
        first = self.seen[request.request_id] == 1
        match UUID(request.request_id).int & 3:
            case 0:
                await asyncio.to_thread(time.sleep, STALL_SECONDS)
            case 1 if first:
                return pb.PlaceOrderResponse(acceptance=pb.ACCEPTANCE_PENDING, order_id=request.request_id)
            case 2 if first:
                raise DependencyUnavailable("redis")
            case 3:
                raise SoldOut("none left")
        return pb.PlaceOrderResponse(acceptance=pb.ACCEPTANCE_QUEUED, order_id=request.request_id)

    async def CheckoutCart(self, request: pb.CheckoutCartRequest, context: Any) -> pb.CheckoutCartResponse:
        raise NotImplementedError("a crowd has no carts")


@pytest.fixture
async def shop() -> AsyncIterator[tuple[Shop, int]]:
    served = Shop()

    def register(server: grpc.aio.Server) -> None:
        rpc.add_CheckoutServiceServicer_to_server(served, server)

    name = "peakmesh.checkout.v1.CheckoutService"
    async with serving(
        port=0, register=register, services=[name], access=Access(), at_once=AtOnce(1_000), drain_seconds=0
    ) as port:
        yield served, port


def _spec(port: int, folder: Path, count: int) -> LoadSpec:
    buyers = [Buyer(f"b{n}", "token", str(UUID(int=(8 << 76) | (8 << 60) | n)), at=n * 0.01) for n in range(count)]
    return LoadSpec(
        target=f"127.0.0.1:{port}",
        sale_id="sale",
        sku="sku",
        price_version=1,
        start=time.time() + 1.0,
        history=str(folder / "history-0.jsonl"),
        buyers=buyers,
    )


async def test_a_crowds_history_is_whole(shop: tuple[Shop, int], tmp_path: Path) -> None:
    served, port = shop
    spec, crowd = _spec(port, tmp_path, 40), Crowd(tmp_path)
    await crowd.run([spec])
    assert crowd.counts == {"offered": 40, "accepted": 30, "sold_out": 10}
    history = read([Path(spec.history)])
    by_request: defaultdict[str, list[str]] = defaultdict(list)
    for entry in history:
        by_request[entry["request_id"]].append(entry.get("outcome", entry["type"]))
    ways = {UUID(request).int & 3: outcomes for request, outcomes in by_request.items()}
    assert ways == {
        0: ["invoke", "QUEUED"],
        1: ["invoke", "PENDING", "QUEUED"],
        2: ["invoke", "DEPENDENCY_UNAVAILABLE", "QUEUED"],
        3: ["invoke", "SOLD_OUT"],
    }
    assert set(served.seen) == {buyer.request_id for buyer in spec.buyers}


async def test_latency_counts_from_the_schedule(shop: tuple[Shop, int], tmp_path: Path) -> None:
    _, port = shop
    spec = _spec(port, tmp_path, 8)
    await Crowd(tmp_path).run([spec])
    slow = [e for e in read([Path(spec.history)]) if e["type"] == "ok" and UUID(e["request_id"]).int & 3 == 0]
    assert len(slow) == 2
    assert all(entry["latency_ms"] >= STALL_SECONDS * 1000 for entry in slow)


async def test_a_generator_that_cannot_reach_the_shop_says_so(tmp_path: Path) -> None:
    spec = replace(_spec(1, tmp_path, 1), reached_within=1.0)
    with pytest.raises(GeneratorError, match="TimeoutError"):
        await Crowd(tmp_path).run([spec])
    assert not (tmp_path / "load-0.json").exists(), "tokens stay on no disk"
