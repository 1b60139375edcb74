"""Composition root of promo_svc; the tests use the same one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc

from meshkit.metrics import metrics_endpoint
from meshkit.rpc.edge import Access
from meshkit.rpc.server import serving
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from promo_svc.servicer import PromotionServicer
from promo_svc.settings import Settings
from promo_svc.voucher_file import read_vouchers

SERVICE = "peakmesh.promotion.v1.PromotionService"


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves until the block is left; yields the port. Raises VoucherFileError before it listens."""
    servicer = PromotionServicer(read_vouchers(settings.promo_vouchers), _now)

    def register(server: grpc.aio.Server) -> None:
        rpc.add_PromotionServiceServicer_to_server(servicer, server)

    # Nobody is asked who they are: the port is on loopback and no public route leads to it.
    server = serving(
        port=settings.ports["promo"],
        register=register,
        services=[SERVICE],
        access=Access(),
        drain_seconds=settings.drain_seconds,
    )
    with metrics_endpoint(settings.ports["promo_metrics"]):
        async with server as port:
            yield port
