"""A storm of what is sheddable, through Envoy, beside people who buy."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest

from envoy.sheddable import SHEDDABLE
from kernel.topics import ORDERS_CREATED, ORDERS_INTAKE, PAYMENTS_RESULTS
from meshkit.clock import wall_ms
from meshkit.errors import Overloaded
from meshkit.identity import Role
from meshkit.rpc.client import Metadata, call, channel
from meshkit.rpc.criticality import HEADER
from meshkit.rpc.deadline import HEADER as DEADLINE
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.order.v1 import order_service_pb2 as orders
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from tests.e2e.shop import OpenSale, Shop, State
from tests.json_client import ask
from tools.audit.read_records import places_of, read_to_end, reader

[LIST_ORDERS] = [each for each in SHEDDABLE if each.name == "ListOrders"]
SECONDS = 4.0
STORM_WORKERS, BUYERS = 12, 4


@dataclass
class Storm:
    """Lists orders as fast as it is answered, and claims to be core."""

    shop: Shop
    ends: Counter[str] = field(default_factory=Counter)
    pushbacks: set[float | None] = field(default_factory=set)

    async def blow(self, until: float) -> None:
        stub: Any = order_rpc.OrderServiceStub(self.shop.gateway)
        metadata = (*self.shop.metadata("reader"), (HEADER, "CORE"))
        while time.monotonic() < until:
            try:
                request = orders.ListOrdersRequest(page_size=10)
                await call(stub.ListOrders, request, timeout=5, dependency="orders", metadata=metadata)
                self.ends["answered"] += 1
            except Overloaded as error:
                self.ends["refused"] += 1
                self.pushbacks.add(error.retry_after)


async def buy(shop: Shop, sale: OpenSale, until: float) -> list[tuple[Any, float]]:
    """One buyer after the other: their answers or errors, and the seconds each took."""
    bought = []
    while (began := time.monotonic()) < until:
        [answer] = await asyncio.gather(shop.place(f"buyer-{uuid4().hex[:8]}", sale), return_exceptions=True)
        bought.append((answer, time.monotonic() - began))
    return bought


async def json_answers(shop: Shop, until: float) -> list[Any]:
    url, token = f"http://127.0.0.1:{shop.settings.ports['gateway']}/v1/orders", shop.issuer.issue("ana", Role.BUYER)
    return [await ask(url, token) for _ in range(20) if time.monotonic() < until]


def reached(shop: Shop) -> float:
    """Calls of ListOrders that came to a process."""
    pattern = re.compile(r'^grpc_server_started_total\{[^}]*grpc_method="ListOrders"[^}]*\} (\S+)$', re.MULTILINE)
    total = 0.0
    for number in (0, 1):
        url = f"http://127.0.0.1:{shop.settings.ports[f'order_serve_{number}_metrics']}/metrics"
        with urlopen(url, timeout=5) as answer:
            total += sum(float(each) for each in pattern.findall(answer.read().decode()))
    return total


async def test_a_storm_of_lists_is_limited_with_a_pushback_and_every_buyer_is_served(
    shop: Shop, figure: Callable[[str], None]
) -> None:
    sale = await shop.open_sale(units=20_000)
    storm, before = Storm(shop), await asyncio.to_thread(reached, shop)
    began = time.monotonic()
    until = began + SECONDS
    blowing = [storm.blow(until) for _ in range(STORM_WORKERS)]
    buying = asyncio.gather(*(buy(shop, sale, until) for _ in range(BUYERS)))
    served, told, *_ = await asyncio.gather(buying, json_answers(shop, until), *blowing)
    bought = [each for lane in served for each in lane]
    most = LIST_ORDERS.burst + LIST_ORDERS.per_second * (time.monotonic() - began + 1)
    came = await asyncio.to_thread(reached, shop) - before
    seconds = sorted(took for _, took in bought)
    half, slowest = (seconds[place] * 1000 for place in (len(seconds) // 2, -1))
    figure(
        f"lists: {storm.ends['answered']} answered, {storm.ends['refused']} refused, {came:.0f} reached a process; "
        f"{len(bought)} orders, half of them within {half:.0f} ms, all within {slowest:.0f} ms"
    )
    assert len(bought) > 40
    failed = [answer for answer, _ in bought if getattr(answer, "acceptance", None) != checkout.ACCEPTANCE_QUEUED]
    assert failed == []
    assert 0 < came <= most
    assert storm.ends["refused"] > 100
    assert storm.pushbacks == {1.0}
    refused = [answer for answer in told if answer.status != 200]
    assert refused
    assert {(each.status, each.reason, each.retry_after) for each in refused} == {(429, "OVERLOADED", "1")}


async def headers_of(shop: Shop, order_id: str, since_ms: int) -> dict[str, dict[str, bytes]]:
    """By topic, of the records that tell of the order."""
    places = places_of((ORDERS_INTAKE, ORDERS_CREATED, PAYMENTS_RESULTS))
    async with reader(shop.settings.kafka) as consumer:
        found = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
        starts = {place: at.offset for place, at in found.items() if at is not None}
        records = [raw async for raw in read_to_end(consumer, starts) if raw.key == order_id.encode()]
    found_by = {raw.topic: dict(raw.headers) for raw in records}
    return {topic: found_by[topic] for topic in (ORDERS_INTAKE, ORDERS_CREATED, PAYMENTS_RESULTS) if topic in found_by}


async def placed_inside(shop: Shop, sale: OpenSale, metadata: Metadata) -> checkout.PlaceOrderResponse:
    """By a caller inside the mesh, whom checkout believes: Envoy's word is its own."""
    async with channel(f"127.0.0.1:{shop.settings.ports['checkout_0']}") as inside:
        stub: Any = checkout_rpc.CheckoutServiceStub(inside)
        said, request = (*shop.metadata("ana"), *metadata), shop.request(sale)
        answer: checkout.PlaceOrderResponse = await call(
            stub.PlaceOrder, request, timeout=10, dependency="checkout", metadata=said
        )
    return answer


async def placed_outside(shop: Shop, sale: OpenSale, metadata: Metadata) -> checkout.PlaceOrderResponse:
    stub: Any = checkout_rpc.CheckoutServiceStub(shop.gateway)
    said, request = (*shop.metadata("ana"), *metadata), shop.request(sale)
    answer: checkout.PlaceOrderResponse = await call(
        stub.PlaceOrder, request, timeout=10, dependency="checkout", metadata=said
    )
    return answer


@pytest.mark.parametrize(
    ("place", "said", "worth", "seconds"),
    [
        (placed_outside, (), b"CORE", 3),
        # What a client says of itself is not what Envoy says of it.
        (placed_outside, ((HEADER, "SHEDDABLE"), (DEADLINE, "60000")), b"CORE", 3),
        (placed_inside, (), b"CORE", 10),
        (placed_inside, ((HEADER, "SHEDDABLE"), (DEADLINE, "4000")), b"SHEDDABLE", 4),
    ],
)
async def test_a_calls_worth_and_deadline_come_to_kafka_and_go_on_to_what_follows(
    shop: Shop, place: Any, said: Metadata, worth: bytes, seconds: int
) -> None:
    sale, before = await shop.open_sale(units=1), wall_ms()
    answer = await place(shop, sale, said)
    answered = wall_ms()
    # Whatever it is worth: accepted, so paid and sent.
    await shop.reaches("ana", answer.order_id, State.ORDER_STATE_TO_SHIP)
    told = await headers_of(shop, answer.order_id, before - 1000)
    assert list(told) == [ORDERS_INTAKE, ORDERS_CREATED, PAYMENTS_RESULTS]
    for headers in told.values():
        assert headers["criticality"] == worth
        assert before + seconds * 1000 - 50 <= int(headers["call-deadline-ms"]) <= answered + seconds * 1000
        # The order's own, which its payment is held to.
        assert int(headers["deadline-ms"]) == answer.expire_time.ToMilliseconds()
