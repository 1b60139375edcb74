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
from order_worker.get_order import GetOrder
from order_worker.list_orders import ListOrders
from order_worker.order_reads import OrderReads
from order_worker.servicer import OrderServicer
from order_worker.settings import Settings
from peakmesh.order.v1 import order_service_pb2_grpc as rpc

SERVICE = "peakmesh.order.v1.OrderService"
_READERS = frozenset({Role.BUYER, Role.SELLER, Role.OPERATOR, Role.SERVICE})
POOL_SIZE = 8


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves OrderService from entry to exit of the block; yields the port."""
    access = Access(
        TokenVerifier(settings.jwks),
        {f"/{SERVICE}/{method}": _READERS for method in ("GetOrder", "ListOrders")},
    )
    name = f"order_serve_{settings.order_serve_index}"
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        engine = await stack.enter_async_context(database(settings.database, pool_size=POOL_SIZE))
        stock = RedisStock(await stack.enter_async_context(redis_pool(settings.redis)))
        queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
        await stack.enter_async_context(background(queue.run()))
        reads = OrderReads(engine)
        servicer = OrderServicer(GetOrder(reads, stock, queue), ListOrders(reads))
        yield await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=lambda server: rpc.add_OrderServiceServicer_to_server(servicer, server),
                services=[SERVICE],
                access=access,
                drain_seconds=settings.drain_seconds,
            )
        )
