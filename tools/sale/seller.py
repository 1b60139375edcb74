"""What the seller of a sale's goods is told of it: their own figures, asked for as anybody's are."""

import asyncio
import time
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel import schema
from meshkit.errors import FeatureDisabled, PeakmeshError
from meshkit.identity import Role, TokenIssuer
from meshkit.money import to_minor
from meshkit.rpc.client import Metadata, call, channel
from peakmesh.order.v1 import order_service_pb2 as pb
from peakmesh.order.v1 import order_service_pb2_grpc as rpc

TIMEOUT_SECONDS = 5.0
# Load switches analytics off, and on again when the sale is over and the tier's hold times are: 15 s, and 15 more.
OFF_SECONDS, ASK_EVERY = 45.0, 1.0


async def seller_of(engine: AsyncEngine, sku: str) -> str:
    async with engine.connect() as connection:
        return str(await connection.scalar(select(schema.product.c.seller_id).where(schema.product.c.sku == sku)))


async def seller_figures(
    target: str, issuer: TokenIssuer, seller_id: str, sku: str, from_seconds: float
) -> dict[str, Any]:
    """`seller_id`, and of this SKU since then `figures` by currency and `hours`; or `error`: a report of a sale is
    written although analytics are off or down."""
    request = pb.GetSellerAnalyticsRequest(from_time=Timestamp(seconds=int(from_seconds)))
    metadata = (("authorization", f"Bearer {issuer.issue(seller_id, Role.SELLER)}"),)
    try:
        async with channel(target) as to:
            answer = await _ask(rpc.OrderServiceStub(to), request, metadata)
    except PeakmeshError as error:
        return {"seller_id": seller_id, "error": f"{error.reason}: {error.message}"}
    return {
        "seller_id": seller_id,
        "skus": [{"sku": each.sku} | _figures(each.figures) for each in answer.skus if each.sku == sku],
        "hours": [{"hour": each.start_time.ToJsonString()} | _figures(each.figures) for each in answer.hours],
    }


async def _ask(stub: Any, request: pb.GetSellerAnalyticsRequest, metadata: Metadata) -> pb.GetSellerAnalyticsResponse:
    give_up = time.monotonic() + OFF_SECONDS
    while True:
        try:
            answer: pb.GetSellerAnalyticsResponse = await call(
                stub.GetSellerAnalytics, request, timeout=TIMEOUT_SECONDS, dependency="orders", metadata=metadata
            )
        except FeatureDisabled:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(ASK_EVERY)
        else:
            return answer


def _figures(figures: pb.SalesFigures) -> dict[str, Any]:
    return {
        "revenue": _words(figures.revenue),
        "average": _words(figures.average_order_value) if figures.orders else "–",
        "orders": figures.orders,
        "units": figures.units,
        "payment_failures": figures.payment_failures,
        "refunds": figures.refunds,
    }


def _words(money: Money) -> str:
    return f"{to_minor(money) / 100:,.2f} {money.currency_code}"
