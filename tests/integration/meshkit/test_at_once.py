"""Each service by its composition root, with room for one call at a time: more are told so, health checks are not."""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import checkout_svc.app
import checkout_svc.settings
import engagement_svc.app
import engagement_svc.settings
import governor.app
import governor.settings
import order_worker.serve_app
import order_worker.settings
import promo_svc.app
import promo_svc.settings
from meshkit.errors import Overloaded, PeakmeshError
from meshkit.identity import Role, TokenIssuer
from meshkit.ports import Ports
from meshkit.rpc.client import call, channel
from meshkit.settings import ProcessSettings
from peakmesh.checkout.v1 import cart_service_pb2 as cart
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from peakmesh.engagement.v1 import profile_service_pb2 as profile
from peakmesh.engagement.v1 import profile_service_pb2_grpc as profile_rpc
from peakmesh.ops.v1 import ops_service_pb2 as ops
from peakmesh.ops.v1 import ops_service_pb2_grpc as ops_rpc
from peakmesh.order.v1 import order_service_pb2 as orders
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as promotion_rpc
from tools.devstack import Mesh

CALLS = 40


@dataclass(frozen=True)
class Root:
    """A composition root, the setting that bounds it, and a read that waits for a server behind it."""

    app: Any
    settings: type[ProcessSettings]
    bound: str
    ports: tuple[str, ...]
    stub: Any
    method: str
    request: Any
    role: Role = Role.BUYER

    def running(self, mesh: Mesh, **bound: int) -> AbstractAsyncContextManager[int]:
        given = mesh.settings
        told: dict[str, Any] = {
            "db_url": given.database,
            "redis_url": given.redis,
            "kafka_bootstrap": given.kafka,
        } | bound
        if self.bound == "governor_rpcs":
            told |= {"governor_dry_run": True}
        settings = self.settings(port_base=free_base(self.ports), run_dir=mesh.run_dir, drain_seconds=0, **told)
        found: AbstractAsyncContextManager[int] = self.app.running(settings)
        return found


ROOTS: Mapping[str, Root] = {
    "checkout": Root(
        checkout_svc.app,
        checkout_svc.settings.Settings,
        "checkout_rpcs",
        ("checkout_0", "checkout_0_metrics"),
        cart_rpc.CartServiceStub,
        "GetCart",
        cart.GetCartRequest(),
    ),
    "order serve": Root(
        order_worker.serve_app,
        order_worker.settings.Settings,
        "order_serve_rpcs",
        ("order_serve_0", "order_serve_0_metrics"),
        order_rpc.OrderServiceStub,
        "ListOrders",
        orders.ListOrdersRequest(),
    ),
    "promo": Root(
        promo_svc.app,
        promo_svc.settings.Settings,
        "promo_rpcs",
        ("promo", "promo_metrics"),
        promotion_rpc.PromotionServiceStub,
        "ListVouchers",
        promotion.ListVouchersRequest(),
    ),
    "engagement": Root(
        engagement_svc.app,
        engagement_svc.settings.Settings,
        "engagement_rpcs",
        ("engagement", "engagement_metrics"),
        profile_rpc.ProfileServiceStub,
        "GetProfile",
        profile.GetProfileRequest(),
    ),
    "governor": Root(
        governor.app,
        governor.settings.Settings,
        "governor_rpcs",
        ("governor", "governor_metrics"),
        ops_rpc.OpsServiceStub,
        "ListSales",
        ops.ListSalesRequest(),
        Role.OPERATOR,
    ),
}


def free_base(ports: tuple[str, ...]) -> int:
    for base in range(5_011, 10_000, 17):
        try:
            for name in ports:
                with socket.socket() as taken:
                    taken.bind(("127.0.0.1", Ports(base)[name]))
        except OSError:
            continue
        return base
    raise OSError(f"no free port for {ports[0]}")


async def ends(root: Root, to: grpc.aio.Channel, issuer: TokenIssuer, calls: int) -> list[PeakmeshError | None]:
    """Of so many calls at once; None where it was answered."""
    asked = getattr(root.stub(to), root.method)
    metadata = (("authorization", f"Bearer {issuer.issue('ana', root.role)}"),)

    async def end() -> PeakmeshError | None:
        try:
            await call(asked, root.request, timeout=10, dependency=root.method, metadata=metadata)
        except PeakmeshError as error:
            return error
        return None

    return await asyncio.gather(*(end() for _ in range(calls)))


@pytest.mark.parametrize("name", ROOTS)
async def test_a_service_has_room_for_so_many_calls_and_for_every_health_check(name: str, data_servers: Mesh) -> None:
    root, issuer = ROOTS[name], TokenIssuer(data_servers.settings.identity_dir)
    async with root.running(data_servers, **{root.bound: 1}) as port, channel(f"127.0.0.1:{port}") as to:
        assert await ends(root, to, issuer, 1) == [None]
        health: Any = health_pb2_grpc.HealthStub(to)
        checks = [health.Check(health_pb2.HealthCheckRequest(), timeout=10) for _ in range(CALLS)]
        found = await ends(root, to, issuer, CALLS)
        assert {(await each).status for each in checks} == {health_pb2.HealthCheckResponse.SERVING}
        refused = [error for error in found if error is not None]
        assert {type(error) for error in refused} == {Overloaded}
        assert {error.retry_after for error in refused} == {1.0}
        # One is at work; whoever comes when it has ended is let in.
        assert 1 <= found.count(None) < CALLS
        assert await ends(root, to, issuer, 1) == [None]


@pytest.mark.parametrize("name", ROOTS)
async def test_by_default_there_is_room_for_a_crowd(name: str, data_servers: Mesh) -> None:
    root, issuer = ROOTS[name], TokenIssuer(data_servers.settings.identity_dir)
    async with root.running(data_servers) as port, channel(f"127.0.0.1:{port}") as to:
        assert set(await ends(root, to, issuer, CALLS)) == {None}
