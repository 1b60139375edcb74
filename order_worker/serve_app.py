"""Composition root of role `serve`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc

from kernel.features.follow import following_features, gates
from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.db.engine import database
from meshkit.identity import Role, TokenVerifier
from meshkit.kafka.publisher import publishing
from meshkit.kafka.queue_estimate import QueueEstimate
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.redis_client import redis_pool
from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import serving
from order_worker.cancel_order import CancelOrder
from order_worker.get_order import GetOrder
from order_worker.list_orders import ListOrders
from order_worker.list_stuck import ListStuck
from order_worker.ops_servicer import RESOLVE_ANSWER, OrderOpsServicer, acknowledged
from order_worker.order_reads import OrderReads
from order_worker.order_tail import OrderTail
from order_worker.resolve_order import ResolveOrder
from order_worker.sales_reads import SalesReads, analytics_database
from order_worker.seller_analytics import SellerAnalytics
from order_worker.servicer import OrderServicer
from order_worker.settings import Settings
from order_worker.watch_order import WatchOrder
from peakmesh.order.v1 import order_ops_service_pb2_grpc as ops_rpc
from peakmesh.order.v1 import order_service_pb2_grpc as rpc

SERVICE = "peakmesh.order.v1.OrderService"
OPS_SERVICE = "peakmesh.order.v1.OrderOpsService"
_READERS = frozenset({Role.BUYER, Role.SELLER, Role.OPERATOR, Role.SERVICE})
_OWNERS = frozenset({Role.BUYER, Role.SELLER, Role.SERVICE})
_OPERATORS = frozenset({Role.OPERATOR})
ROLES = {
    **{f"/{SERVICE}/{method}": _READERS for method in ("GetOrder", "ListOrders", "WatchOrder")},
    f"/{SERVICE}/CancelOrder": _OWNERS,
    f"/{SERVICE}/GetSellerAnalytics": frozenset({Role.SELLER}),
    **{f"/{OPS_SERVICE}/{method}": _OPERATORS for method in ("ListStuckOrders", "ResolveOrder")},
}
POOL_SIZE = 8
# Lists do not share GetOrder's connections: who browses the past must not wait in line before who asks about now.
LISTS_POOL_SIZE = 2


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves OrderService and OrderOpsService from entry to exit of the block; yields the port."""
    name = f"order_serve_{settings.instance}"
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        flags = await stack.enter_async_context(following_features(settings))
        engine = await stack.enter_async_context(database(settings.database, pool_size=POOL_SIZE))
        lists = await stack.enter_async_context(database(settings.database, pool_size=LISTS_POOL_SIZE))
        most = settings.order_worker_analytics
        analytics = await stack.enter_async_context(analytics_database(settings.database, most))
        stock = RedisStock(await stack.enter_async_context(redis_pool(settings.redis)))
        queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
        reads = OrderReads(engine)
        get_order = GetOrder(reads, stock, queue)
        tail = OrderTail(reads, get_order.waiting)
        await stack.enter_async_context(background(queue.run(), tail.run()))
        servicer = OrderServicer(
            get_order,
            ListOrders(OrderReads(lists)),
            WatchOrder(tail, settings.order_worker_watchers),
            CancelOrder(engine, stock, get_order, settings.cancel_seconds),
            SellerAnalytics(SalesReads(analytics), most),
        )
        ops = OrderOpsServicer(
            ListStuck(engine, acknowledged, settings.order_worker_grace_seconds),
            ResolveOrder(engine, partial(publishing, settings.kafka, "order_serve"), RESOLVE_ANSWER),
        )
        port = await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=partial(_register, servicer, ops),
                services=[SERVICE, OPS_SERVICE],
                access=Access(TokenVerifier(settings.jwks), ROLES),
                at_once=AtOnce(settings.order_serve_rpcs),
                gates=gates(flags),
                drain_seconds=settings.drain_seconds,
            )
        )
        # Before the server's own end, which would cut the streams off after its grace: theirs is UNAVAILABLE.
        stack.callback(tail.close)
        yield port


def _register(orders: OrderServicer, ops: OrderOpsServicer, server: grpc.aio.Server) -> None:
    rpc.add_OrderServiceServicer_to_server(orders, server)
    ops_rpc.add_OrderOpsServiceServicer_to_server(ops, server)
