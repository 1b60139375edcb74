"""The largest import on a shelf of 100,000, as one checkout process bears it: how soon it is searched, how long a
search takes meanwhile, and what a PlaceOrder waits for."""

import asyncio
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import quantiles
from typing import Any

import pytest
from redis.asyncio import Redis

from kernel.catalog import Edition, Product, publish_edition, publish_part
from kernel.offers import Offer, publish_offer
from kernel.stock.redis_adapter import RedisStock
from meshkit.errors import DependencyUnavailable
from meshkit.identity import Role, TokenIssuer
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import call, channel
from peakmesh.checkout.v1 import catalog_service_pb2 as shelf
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as shelf_rpc
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc
from tests.integration.checkout_svc.shop import ADDRESS
from tests.polling import eventually
from tools import devstack
from tools.devstack.spec import Mesh

SHELF, IMPORT, STEP = 100_000, 10_000, 50
SEEN_WITHIN = 2.0
ORDERS_A_SECOND, SEARCHES_A_SECOND, IMPORTS = 100, 20, 8
WARM, BASELINE = 300, 1_000
OFFSET = 700
OFFER = Offer(1, "sale-refresh", "sku-000001", 1999, "EUR", 1, 250, 1, 1, 1_000_000)


@pytest.fixture(scope="module")
def own_mesh() -> Iterator[Mesh]:
    """One checkout process with its servers, and no governor, which would mend a catalogue that SQL does not have."""
    tests = Mesh.of()
    mesh = Mesh(tests.run_dir / "refresh", tests.port_base + OFFSET)
    devstack.up(mesh.run_dir, mesh.port_base, only=["checkout_svc_0"])
    try:
        yield mesh
    finally:
        devstack.down(mesh.run_dir, mesh.port_base)
        shutil.rmtree(mesh.run_dir)


@dataclass
class Till:
    """The process as its clients have it. Seconds that each call took, by kind, until they are taken away."""

    redis: Redis
    shelf: Any
    checkout: Any
    metadata: Any
    version: int = 0
    searches: list[float] = field(default_factory=list)
    orders: list[float] = field(default_factory=list)

    async def publish(self, products: Sequence[Product]) -> None:
        """As the governor does at the end of an import, the edition last; in small parts, since each keeps this loop,
        whose clock the orders are under, from its work."""
        self.version += 1
        for start in range(0, len(products), STEP):
            await publish_part(self.redis, [(each, self.version) for each in products[start : start + STEP]])
        await publish_edition(self.redis, Edition("one", self.version))

    def take(self) -> tuple[list[float], list[float]]:
        """What orders and searches took since it was asked last."""
        orders, searches, self.orders, self.searches = self.orders, self.searches, [], []
        return orders, searches

    async def search(self, query: str) -> list[str]:
        began = time.perf_counter()
        request = shelf.SearchProductsRequest(query=query)
        found = await call(self.shelf.SearchProducts, request, timeout=5, dependency="catalog", metadata=self.metadata)
        self.searches.append(time.perf_counter() - began)
        return [each.sku for each in found.products]

    async def order(self, number: int) -> None:
        request = pb.PlaceOrderRequest(
            sale_id=OFFER.sale_id,
            sku=OFFER.sku,
            quantity=1,
            request_id=f"00000000-0000-4000-8000-{number + 1:012d}",
            shipping_address=ADDRESS,
            price_version=1,
        )
        began = time.perf_counter()
        await call(self.checkout.PlaceOrder, request, timeout=5, dependency="checkout", metadata=self.metadata)
        self.orders.append(time.perf_counter() - began)


@pytest.fixture
async def till(own_mesh: Mesh) -> AsyncIterator[Till]:
    settings = own_mesh.settings
    buyer = TokenIssuer(settings.identity_dir).issue("ana", Role.BUYER)
    async with redis_pool(settings.redis) as redis, channel(f"127.0.0.1:{settings.ports['checkout_0']}") as wire:
        assert await RedisStock(redis).open_offer(OFFER, 1_000_000, 0, 0)
        await publish_offer(redis, OFFER)
        stubs: tuple[Any, Any] = shelf_rpc.CatalogServiceStub(wire), rpc.CheckoutServiceStub(wire)
        yield Till(redis, *stubs, (("authorization", f"Bearer {buyer}"),))


def products(edition: int, count: int) -> list[Product]:
    """Of another name in each edition, which is the dearest change: the words go out of the index and into it."""
    names = (f"Thing {number % 997} of edition{edition} no{number}" for number in range(1, count + 1))
    return [
        Product(number, f"sku-{number:06d}", name, 1999, "EUR", 1, 250, "s1") for number, name in enumerate(names, 1)
    ]


async def at_a_pace(one: Callable[[int], Coroutine[Any, Any, Any]], a_second: float) -> None:
    """Until cancelled, however long each takes: who waits for an answer before the next call would not see a stall."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            group.create_task(one(number))
            await asyncio.sleep(began + (number + 1) / a_second - time.monotonic())


def p99(took: Sequence[float]) -> float:
    """Milliseconds."""
    return 1000 * quantiles(took, n=100)[98]


async def seen(till: Till, edition: int) -> float:
    """Seconds until a buyer finds the last product of the edition by its new name."""
    began = time.monotonic()

    async def found() -> bool:
        query = f"edition{edition} no{IMPORT}"
        return await till.search(query) == [f"sku-{IMPORT:06d}"]

    await eventually(found, within=20)
    return time.monotonic() - began


async def test_the_largest_import_on_a_shelf_of_100_000(till: Till, figure: Callable[[str], None]) -> None:
    await till.publish(products(0, SHELF))

    async def built() -> bool:
        try:
            return bool(await till.search(f"edition0 no{SHELF}"))
        except DependencyUnavailable:  # this process has just started
            return False

    await eventually(built, within=60)
    load = [
        asyncio.create_task(at_a_pace(till.order, ORDERS_A_SECOND)),
        asyncio.create_task(at_a_pace(lambda number: till.search(f"thing {number % 997}"), SEARCHES_A_SECOND)),
    ]
    await eventually(lambda: len(till.orders) > WARM, within=20)
    orders, searches = till.take()
    await eventually(lambda: len(till.orders) > BASELINE, within=60)
    orders, searches = till.take()
    during: list[tuple[list[float], list[float]]] = []
    late = []
    for edition in range(1, IMPORTS + 1):
        await till.publish(products(edition, IMPORT))
        till.take()
        late.append(await seen(till, edition))
        during.append(till.take())
    assert not any(each.done() for each in load), "a call failed"
    for each in load:
        each.cancel()
    # A refresh that stalls orders does so at every import; a machine that stands still does so at one of them.
    calm = sorted(during, key=lambda taken: max(taken[0]))[:-1]
    meanwhile, searched = (list(chain.from_iterable(taken[kind] for taken in calm)) for kind in (0, 1))
    figure(
        f"{IMPORT:,} of {SHELF:,} renamed, {IMPORTS} times: searched after {min(late):.2f} to {max(late):.2f} s;"
        f" PlaceOrder p99 {p99(orders):.1f} ms before ({len(orders)}), {p99(meanwhile):.1f} ms meanwhile"
        f" ({len(meanwhile)}, without the import of the slowest); search p99 {p99(searches):.1f} and"
        f" {p99(searched):.1f} ms"
    )
    assert max(late) < SEEN_WITHIN
    assert p99(meanwhile) < 2 * p99(orders)
