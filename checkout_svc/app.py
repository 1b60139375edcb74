"""Composition root of checkout_svc; the tests use the same one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc

from checkout_svc.catalog import CatalogFeed, catalog_following
from checkout_svc.catalog_servicer import CatalogServicer
from checkout_svc.intake import Intake
from checkout_svc.list_offers import ListOffers
from checkout_svc.offer_registry import OfferRegistry
from checkout_svc.on_sale import OffersOnSale
from checkout_svc.outbox_cleaner import OutboxCleaner
from checkout_svc.place_order import PlaceOrder
from checkout_svc.promotions import Promotions
from checkout_svc.relay import Relay
from checkout_svc.reserve_window import ReserveWindow
from checkout_svc.servicer import CheckoutServicer
from checkout_svc.settings import Settings
from kernel.catalog import read_all, read_changed, read_edition
from kernel.offers import load_offers
from kernel.stock.durability import check_durability
from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.clock import wall_ms
from meshkit.identity import Role, TokenVerifier
from meshkit.kafka.publisher import publishing
from meshkit.kafka.queue_estimate import QueueEstimate
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import channel
from meshkit.rpc.edge import Access
from meshkit.rpc.server import serving
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as catalog_rpc
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc

SERVICE = "peakmesh.checkout.v1.CheckoutService"
CATALOG = "peakmesh.checkout.v1.CatalogService"
ROLES = {f"/{SERVICE}/PlaceOrder": frozenset({Role.BUYER, Role.SELLER, Role.SERVICE})}
ROLES |= {f"/{CATALOG}/{method}": frozenset(Role) for method in ("SearchProducts", "GetProduct", "ListOffers")}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves CheckoutService from entry to exit of the block; yields the port."""
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
        relay = Relay(offers, stock, intake, settings.relay_age_ms, settings.consent_ms)
        place_order = PlaceOrder(
            offers=offers,
            stock=stock,
            window=ReserveWindow(stock, settings.accept_window_ms / 1000),
            intake=intake,
            cleaner=cleaner,
            promotions=Promotions(egress, settings.promotion_budget_ms / 1000),
            budget_seconds=settings.accept_budget_ms / 1000,
            deadline_seconds=settings.order_deadline_seconds,
        )
        servicer = CheckoutServicer(place_order, queue, settings.accept_most)
        feed = CatalogFeed(partial(read_edition, redis), partial(read_all, redis), partial(read_changed, redis))
        catalog = await stack.enter_async_context(catalog_following(feed))
        on_sale = OffersOnSale(offers, stock, catalog.make_available, wall_ms)
        shelf = CatalogServicer(catalog, ListOffers(on_sale, catalog))

        def register(server: grpc.aio.Server) -> None:
            rpc.add_CheckoutServiceServicer_to_server(servicer, server)
            catalog_rpc.add_CatalogServiceServicer_to_server(shelf, server)

        parts = (offers.keep_fresh(), cleaner.run(), relay.run(), queue.run(), catalog.keep_fresh(), on_sale.run())
        await stack.enter_async_context(background(*parts))
        yield await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=register,
                services=[SERVICE, CATALOG],
                access=Access(TokenVerifier(settings.jwks), ROLES),
                drain_seconds=settings.drain_seconds,
            )
        )
