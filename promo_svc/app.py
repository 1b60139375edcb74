"""Composition root of promo_svc; the tests use the same one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import grpc

from kernel.features.follow import following_features, gates
from kernel.stock.redis_adapter import RedisStock
from kernel.vouchers.redis_holds import RedisHolds
from meshkit.clock import wall_ms
from meshkit.db.engine import database
from meshkit.identity import Role, TokenVerifier
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.ports import nth
from meshkit.redis_client import redis_pool
from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import serving
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from promo_svc.background import follow_results, keep_up
from promo_svc.expire_holds import ExpireHolds
from promo_svc.list_vouchers import ListVouchers
from promo_svc.open_vouchers import OpenVouchers
from promo_svc.order_rows import OrderRows
from promo_svc.quote_promotion import QuotePromotion
from promo_svc.servicer import PromotionServicer
from promo_svc.settings import Settings
from promo_svc.settle_results import SettleResults
from promo_svc.voucher_file import read_vouchers
from promo_svc.whole_stock import WholeStock

SERVICE = "peakmesh.promotion.v1.PromotionService"
ROLES = {f"/{SERVICE}/ListVouchers": frozenset({Role.BUYER, Role.SELLER, Role.SERVICE})}
# Nobody is asked who they are: the port is on loopback and no public route leads to these.
INTERNAL = frozenset({f"/{SERVICE}/QuotePromotion", f"/{SERVICE}/FreeHolds"})


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves until the block is left; yields the port. Raises VoucherFileError before it listens.

    Starts without any server there: vouchers without limits need none.
    """
    vouchers = read_vouchers(settings.promo_vouchers)
    limited = [code for code, voucher in vouchers.items() if voucher.limits]
    hold_ms = int(settings.promo_hold_seconds * 1000)
    name = nth("promo", settings.instance)
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        flags = await stack.enter_async_context(following_features(settings))
        redis = await stack.enter_async_context(redis_pool(settings.redis))
        engine = await stack.enter_async_context(database(settings.database, pool_size=2))
        rows, stock, holds = OrderRows(engine), RedisStock(redis), RedisHolds(redis)
        upkeep = (
            OpenVouchers(vouchers, holds, rows, hold_ms, WholeStock(engine, stock)),
            ExpireHolds(holds, rows, stock, wall_ms),
        )
        following = follow_results(settings.kafka, SettleResults(holds, rows, limited))
        keeping = keep_up(redis, settings.unsafe, settings.promo_upkeep_seconds, *upkeep)
        await stack.enter_async_context(background(following, keeping))
        quote_promotion = QuotePromotion(vouchers, holds, hold_ms, settings.promo_redis_ms / 1000, _now)
        servicer = PromotionServicer(quote_promotion, ListVouchers(vouchers, holds, _now), holds)

        def register(server: grpc.aio.Server) -> None:
            rpc.add_PromotionServiceServicer_to_server(servicer, server)

        yield await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=register,
                services=[SERVICE],
                access=Access(TokenVerifier(settings.jwks), ROLES, INTERNAL),
                at_once=AtOnce(settings.promo_rpcs, sheddable=settings.promo_rpcs // 2),
                gates=gates(flags),
                drain_seconds=settings.drain_seconds,
            )
        )
