"""Composition root of role `serve`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc

from kernel.stock.redis_adapter import RedisStock
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.db.engine import database
from meshkit.identity import Role, TokenVerifier
from meshkit.kafka.publisher import publishing
from meshkit.kafka.queue_estimate import QueueEstimate
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.redis_client import redis_pool
from meshkit.rpc.edge import Access
from meshkit.rpc.server import serving
from order_worker.get_order import GetOrder
from order_worker.list_orders import ListOrders
from order_worker.list_stuck import ListStuck
from order_worker.ops_servicer import RESOLVE_ANSWER, OrderOpsServicer, acknowledged
from order_worker.order_reads import OrderReads
from order_worker.resolve_order import ResolveOrder
from order_worker.servicer import OrderServicer
from order_worker.settings import Settings
from peakmesh.order.v1 import order_ops_service_pb2_grpc as ops_rpc
from peakmesh.order.v1 import order_service_pb2_grpc as rpc

SERVICE = "peakmesh.order.v1.OrderService"
OPS_SERVICE = "peakmesh.order.v1.OrderOpsService"
_READERS = frozenset({Role.BUYER, Role.SELLER, Role.OPERATOR, Role.SERVICE})
POOL_SIZE = 8


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves OrderService and OrderOpsService from entry to exit of the block; yields the port."""
    roles = {f"/{SERVICE}/{method}": _READERS for method in ("GetOrder", "ListOrders")}
    operators = frozenset({Role.OPERATOR})
    roles |= {f"/{OPS_SERVICE}/{method}": operators for method in ("ListStuckOrders", "ResolveOrder")}
    access = Access(TokenVerifier(settings.jwks), roles)
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports["order_serve_metrics"]))
        engine = await stack.enter_async_context(database(settings.database, pool_size=POOL_SIZE))
        stock = RedisStock(await stack.enter_async_context(redis_pool(settings.redis)))
        queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
        await stack.enter_async_context(background(queue.run()))
        reads = OrderReads(engine)
        servicer = OrderServicer(GetOrder(reads, stock, queue), ListOrders(reads))
        ops = OrderOpsServicer(
            ListStuck(engine, acknowledged, settings.order_worker_grace_seconds),
            ResolveOrder(engine, partial(publishing, settings.kafka, "order_serve"), RESOLVE_ANSWER),
        )

        def register(server: grpc.aio.Server) -> None:
            rpc.add_OrderServiceServicer_to_server(servicer, server)
            ops_rpc.add_OrderOpsServiceServicer_to_server(ops, server)

        yield await stack.enter_async_context(
            serving(
                port=settings.ports["order_serve"],
                register=register,
                services=[SERVICE, OPS_SERVICE],
                access=access,
                drain_seconds=settings.drain_seconds,
            )
        )
