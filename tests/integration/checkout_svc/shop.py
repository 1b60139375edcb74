"""Around one checkout process on real Redis and Kafka: opens offers, taps, and reads the log."""

import itertools
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from redis.asyncio import Redis

from checkout_svc.app import running
from checkout_svc.settings import Settings
from kernel.offers import OFFERS_KEY, Offer, publish_offer
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.results import Snapshot
from kernel.topics import ORDERS_INTAKE
from meshkit.identity import Role, TokenIssuer
from meshkit.kafka.consumer import Consumer, consuming
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import call, channel
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc
from peakmesh.event.v1.events_pb2 import OrderIntake
from peakmesh.order.v1.order_pb2 import ShippingAddress
from tools.devstack.spec import Mesh

ADDRESS = ShippingAddress(recipient="Ana", street="1 St", city="Berlin", postal_code="10115", country_code="DE")
_numbers = itertools.count(random.randint(1, 1 << 23))


@dataclass
class Shop:
    redis: Redis
    stock: RedisStock
    wire: grpc.aio.Channel
    issuer: TokenIssuer
    log: Consumer
    offers: list[Offer] = field(default_factory=list)
    read: list[OrderIntake] = field(default_factory=list)

    async def open(self, units: int, limit: int = 3) -> Offer:
        """A new offer with a number that no other test uses."""
        name = uuid.uuid4().hex[:12]
        offer = Offer(next(_numbers), f"sale-{name}", f"sku-{name}", 1999, "EUR", 1, 250, 1, 1, limit)
        assert await self.stock.open_offer(offer, units, 0, 0)
        await publish_offer(self.redis, offer)
        self.offers.append(offer)
        return offer

    def request(self, offer: Offer, **changes: Any) -> pb.PlaceOrderRequest:
        fields: dict[str, Any] = {
            "sale_id": offer.sale_id,
            "sku": offer.sku,
            "quantity": 1,
            "request_id": str(uuid.uuid4()),
            "shipping_address": ADDRESS,
            "price_version": 1,
        }
        return pb.PlaceOrderRequest(**(fields | changes))

    def metadata(self, user: str = "ana") -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.issuer.issue(user, Role.BUYER)}"),)

    async def place(self, request: pb.PlaceOrderRequest, user: str = "ana") -> pb.PlaceOrderResponse:
        stub: Any = rpc.CheckoutServiceStub(self.wire)
        metadata = self.metadata(user)
        answer: pb.PlaceOrderResponse = await call(
            stub.PlaceOrder, request, timeout=10, dependency="checkout", metadata=metadata
        )
        return answer

    async def snapshot(self, offer: Offer) -> Snapshot:
        found = await self.stock.snapshot(offer.offer_no, 0)
        assert found is not None
        return found

    async def accepted(self, offer: Offer) -> list[str]:
        """order_ids of the offer that Kafka has by now, in order."""
        for record in await self.log.poll(0.1):
            self.read.append(OrderIntake.FromString(record.value))
        return [each.accepted.order_id for each in self.read if each.accepted.offer_no == offer.offer_no]


@asynccontextmanager
async def shop_at(mesh: Mesh) -> AsyncIterator[Shop]:
    settings = Settings(port_base=mesh.port_base, run_dir=mesh.run_dir, relay_age_ms=500, drain_seconds=0)
    group = f"test-{uuid.uuid4()}"
    async with (
        redis_pool(settings.redis) as redis,
        consuming(settings.kafka, [ORDERS_INTAKE], group, max_records=500) as log,
        running(settings) as port,
        channel(f"127.0.0.1:{port}") as wire,
    ):
        shop = Shop(redis, RedisStock(redis), wire, TokenIssuer(settings.identity_dir), log)
        yield shop
        for offer in shop.offers:
            await redis.hdel(OFFERS_KEY, f"{offer.sale_id}|{offer.sku}")
