"""Composition root of role `serve`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.db.engine import database
from meshkit.identity import Role, TokenVerifier
from meshkit.kafka.queue_estimate import QueueEstimate
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.redis_client import redis_pool
from meshkit.rpc.edge import Access
from meshkit.rpc.server import serving
from order_worker.cancel_order import CancelOrder
from order_worker.get_order import GetOrder
from order_worker.list_orders import ListOrders
from order_worker.order_reads import OrderReads
from order_worker.order_tail import OrderTail
from order_worker.servicer import OrderServicer
from order_worker.settings import Settings
from order_worker.watch_order import WatchOrder
from peakmesh.order.v1 import order_service_pb2_grpc as rpc

SERVICE = "peakmesh.order.v1.OrderService"
_READERS = frozenset({Role.BUYER, Role.SELLER, Role.OPERATOR, Role.SERVICE})
_OWNERS = frozenset({Role.BUYER, Role.SELLER, Role.SERVICE})
_ROLES = dict.fromkeys(("GetOrder", "ListOrders", "WatchOrder"), _READERS) | {"CancelOrder": _OWNERS}
POOL_SIZE = 8


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves OrderService from entry to exit of the block; yields the port."""
    access = Access(
        TokenVerifier(settings.jwks),
        {f"/{SERVICE}/{method}": roles for method, roles in _ROLES.items()},
    )
    name = f"order_serve_{settings.order_serve_index}"
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        engine = await stack.enter_async_context(database(settings.database, pool_size=POOL_SIZE))
        stock = RedisStock(await stack.enter_async_context(redis_pool(settings.redis)))
        queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
        reads = OrderReads(engine)
        get_order = GetOrder(reads, stock, queue)
        tail = OrderTail(reads, get_order.waiting)
        await stack.enter_async_context(background(queue.run(), tail.run()))
        servicer = OrderServicer(
            get_order,
            ListOrders(reads),
            WatchOrder(tail, settings.order_worker_watchers),
            CancelOrder(engine, stock, get_order),
        )
        port = await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=lambda server: rpc.add_OrderServiceServicer_to_server(servicer, server),
                services=[SERVICE],
                access=access,
                drain_seconds=settings.drain_seconds,
            )
        )
        # Before the server's own end, which would cut the streams off after its grace: theirs is UNAVAILABLE.
        stack.callback(tail.close)
        yield port
