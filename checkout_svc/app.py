"""Composition root of checkout_svc; the tests use the same one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc

from checkout_svc.cart import CartLimits
from checkout_svc.cart_servicer import CartServicer
from checkout_svc.cart_store import RedisCarts
from checkout_svc.change_cart import ChangeCart
from checkout_svc.checkout_cart import CheckoutCart
from checkout_svc.in_progress import InProgress
from checkout_svc.intake import Intake
from checkout_svc.offer_registry import OfferRegistry
from checkout_svc.outbox_cleaner import OutboxCleaner
from checkout_svc.place_order import PlaceOrder
from checkout_svc.promotions import Promotions
from checkout_svc.relay import Relay
from checkout_svc.reserve_window import ReserveWindow
from checkout_svc.servicer import CheckoutServicer
from checkout_svc.settings import Settings
from checkout_svc.show_cart import ShowCart
from checkout_svc.unused_holds import UnusedHolds
from kernel.offers import load_offers
from kernel.stock.durability import check_durability
from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.identity import Role, TokenVerifier
from meshkit.kafka.publisher import publishing
from meshkit.kafka.queue_estimate import QueueEstimate
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import channel
from meshkit.rpc.edge import Access
from meshkit.rpc.server import serving
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc

SERVICES = {
    "peakmesh.checkout.v1.CheckoutService": ("PlaceOrder", "CheckoutCart"),
    "peakmesh.checkout.v1.CartService": ("AddItem", "UpdateItem", "RemoveItem", "GetCart", "ClearCart"),
}
BUYERS = frozenset({Role.BUYER, Role.SELLER, Role.SERVICE})
ROLES = {f"/{service}/{method}": BUYERS for service, methods in SERVICES.items() for method in methods}
# Carts do not share the connections of the accept path: whoever browses must not wait in line before one who buys.
CART_CONNECTIONS = 8


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves checkout and carts from entry to exit of the block; yields the port."""
    name = f"checkout_{settings.checkout_index}"
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        redis = await stack.enter_async_context(redis_pool(settings.redis))
        await check_durability(redis, settings.unsafe)
        publisher = await stack.enter_async_context(publishing(settings.kafka, name))
        egress = await stack.enter_async_context(channel(settings.egress))
        stock, offers, intake = RedisStock(redis), OfferRegistry(partial(load_offers, redis)), Intake(publisher)
        cleaner = OutboxCleaner(stock)
        queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
        unused = UnusedHolds(egress, settings.promotion_budget_ms / 1000)
        relay = Relay(offers, stock, intake, settings.relay_age_ms, settings.consent_ms)
        place_order = PlaceOrder(
            offers=offers,
            stock=stock,
            window=ReserveWindow(stock, settings.accept_window_ms / 1000),
            intake=intake,
            cleaner=cleaner,
            promotions=Promotions(egress, settings.promotion_budget_ms / 1000),
            unused=unused,
            budget_seconds=settings.accept_budget_ms / 1000,
            deadline_seconds=settings.order_deadline_seconds,
        )
        in_progress = InProgress(settings.accept_most)
        limits = CartLimits(settings.cart_lines, settings.cart_units, settings.cart_seconds)
        beside = await stack.enter_async_context(redis_pool(settings.redis, max_connections=CART_CONNECTIONS))
        carts = RedisCarts(beside, limits)
        checkout = CheckoutServicer(place_order, CheckoutCart(carts, place_order, in_progress), queue, in_progress)
        cart = CartServicer(carts, ChangeCart(carts, offers), ShowCart(offers, RedisStock(beside)))
        parts = (offers.keep_fresh(), cleaner.run(), unused.run(), relay.run(), queue.run())
        await stack.enter_async_context(background(*parts))
        yield await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=partial(_register, checkout, cart),
                services=list(SERVICES),
                access=Access(TokenVerifier(settings.jwks), ROLES),
                drain_seconds=settings.drain_seconds,
            )
        )


def _register(checkout: CheckoutServicer, cart: CartServicer, server: grpc.aio.Server) -> None:
    rpc.add_CheckoutServiceServicer_to_server(checkout, server)
    cart_rpc.add_CartServiceServicer_to_server(cart, server)
