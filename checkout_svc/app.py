"""Composition root of checkout_svc; the tests use the same one."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from redis.asyncio import Redis

from checkout_svc.cart import CartLimits
from checkout_svc.cart_servicer import CartServicer
from checkout_svc.cart_store import RedisCarts
from checkout_svc.catalog import CatalogFeed, catalog_following
from checkout_svc.catalog_servicer import CatalogServicer
from checkout_svc.change_cart import ChangeCart
from checkout_svc.checkout_cart import CheckoutCart
from checkout_svc.in_progress import InProgress
from checkout_svc.intake import Intake
from checkout_svc.list_offers import ListOffers
from checkout_svc.metrics import IN_PROGRESS
from checkout_svc.offer_registry import OfferRegistry
from checkout_svc.on_sale import OffersOnSale
from checkout_svc.outbox_cleaner import OutboxCleaner
from checkout_svc.place_order import PlaceOrder
from checkout_svc.promotions import Promotions, promotions_breaker
from checkout_svc.relay import Relay
from checkout_svc.reserve_window import ReserveWindow
from checkout_svc.servicer import CheckoutServicer
from checkout_svc.settings import Settings
from checkout_svc.show_cart import ShowCart
from checkout_svc.unused_holds import UnusedHolds
from kernel.catalog import read_all, read_changed, read_edition
from kernel.features.follow import following_features
from kernel.offers import load_offers
from kernel.stock.durability import check_durability
from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.clock import wall_ms
from meshkit.flags import Flags
from meshkit.identity import Role, TokenVerifier
from meshkit.kafka.publisher import publishing
from meshkit.kafka.queue_estimate import QueueEstimate
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import channel
from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import serving
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as catalog_rpc
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc

SERVICES = {
    "peakmesh.checkout.v1.CheckoutService": ("PlaceOrder", "CheckoutCart"),
    "peakmesh.checkout.v1.CartService": ("AddItem", "UpdateItem", "RemoveItem", "GetCart", "ClearCart"),
    "peakmesh.checkout.v1.CatalogService": ("SearchProducts", "GetProduct", "ListOffers"),
}
BUYERS = frozenset({Role.BUYER, Role.SELLER, Role.SERVICE})
ROLES = {f"/{service}/{method}": BUYERS for service, methods in SERVICES.items() for method in methods}
ROLES |= {method: frozenset(Role) for method in ROLES if "/peakmesh.checkout.v1.CatalogService/" in method}
# Carts and search do not share the connections of the accept path: who browses must not wait in line before who buys.
BESIDE_CONNECTIONS = 8


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves checkout, carts and the catalogue from entry to exit of the block; yields the port."""
    name = f"checkout_{settings.instance}"
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        flags = await stack.enter_async_context(following_features(settings))
        redis = await stack.enter_async_context(redis_pool(settings.redis))
        await check_durability(redis, settings.unsafe)
        beside = await stack.enter_async_context(redis_pool(settings.redis, max_connections=BESIDE_CONNECTIONS))
        publisher = await stack.enter_async_context(publishing(settings.kafka, name))
        egress = await stack.enter_async_context(channel(settings.egress))
        catalog = await stack.enter_async_context(catalog_following(_feed(beside)))
        offers = OfferRegistry(partial(load_offers, redis))
        accepting = _accepting(settings, offers, RedisStock(redis), Intake(publisher), egress, flags)
        queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
        on_sale = OffersOnSale(offers, RedisStock(beside), catalog.make_available, wall_ms)
        checkout, cart = _selling(settings, accepting.place_order, queue, offers, beside)
        shelf = CatalogServicer(catalog, ListOffers(on_sale, catalog))
        parts = (offers.keep_fresh(), queue.run(), catalog.keep_fresh(), on_sale.run(), *accepting.parts)
        await stack.enter_async_context(background(*parts))
        yield await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=partial(_register, checkout, cart, shelf),
                services=list(SERVICES),
                access=Access(TokenVerifier(settings.jwks), ROLES),
                at_once=AtOnce(settings.checkout_rpcs),
                drain_seconds=settings.drain_seconds,
            )
        )


@dataclass(frozen=True)
class Accepting:
    """The accept path, and what runs behind its answers."""

    place_order: PlaceOrder
    parts: tuple[Coroutine[Any, Any, None], ...]


def _accepting(
    settings: Settings,
    offers: OfferRegistry,
    stock: RedisStock,
    intake: Intake,
    egress: grpc.aio.Channel,
    flags: Flags,
) -> Accepting:
    cleaner = OutboxCleaner(stock)
    budget = settings.promotion_budget_ms / 1000
    breaker = promotions_breaker(budget, settings.promotion_at_once)
    unused = UnusedHolds(egress, budget, breaker)
    relay = Relay(offers, stock, intake, settings.relay_age_ms, settings.consent_ms)
    place_order = PlaceOrder(
        offers=offers,
        stock=stock,
        window=ReserveWindow(stock, settings.accept_window_ms / 1000),
        intake=intake,
        cleaner=cleaner,
        promotions=Promotions(egress, budget, breaker, unused, flags),
        unused=unused,
        budget_seconds=settings.accept_budget_ms / 1000,
        deadline_seconds=settings.order_deadline_seconds,
    )
    return Accepting(place_order, (cleaner.run(), unused.run(), relay.run()))


def _selling(
    settings: Settings, place_order: PlaceOrder, queue: QueueEstimate, offers: OfferRegistry, beside: Redis
) -> tuple[CheckoutServicer, CartServicer]:
    in_progress = InProgress(settings.accept_most)
    # Asked at each scrape: counting on the accept path would be paid by every order.
    IN_PROGRESS.set_function(in_progress.count)
    carts = RedisCarts(beside, CartLimits(settings.cart_lines, settings.cart_units, settings.cart_seconds))
    checkout = CheckoutServicer(place_order, CheckoutCart(carts, place_order, in_progress), queue, in_progress)
    return checkout, CartServicer(carts, ChangeCart(carts, offers), ShowCart(offers, RedisStock(beside)))


def _feed(redis: Redis) -> CatalogFeed:
    return CatalogFeed(partial(read_edition, redis), partial(read_all, redis), partial(read_changed, redis))


def _register(checkout: CheckoutServicer, cart: CartServicer, shelf: CatalogServicer, server: grpc.aio.Server) -> None:
    rpc.add_CheckoutServiceServicer_to_server(checkout, server)
    cart_rpc.add_CartServiceServicer_to_server(cart, server)
    catalog_rpc.add_CatalogServiceServicer_to_server(shelf, server)
