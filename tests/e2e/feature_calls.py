"""A call of each feature that may be switched off, over gRPC, gRPC-Web and JSON, and the processes that answer it."""

import asyncio
import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

from PIL import Image

from meshkit.errors import DeadlinePassed, FeatureDisabled, Overloaded
from meshkit.identity import Role
from meshkit.rpc.client import call
from meshkit.settings import ProcessSettings
from peakmesh.engagement.v1 import profile_service_pb2 as profile
from peakmesh.engagement.v1 import profile_service_pb2_grpc as profile_rpc
from peakmesh.engagement.v1 import recommendation_service_pb2 as recommendation
from peakmesh.engagement.v1 import recommendation_service_pb2_grpc as recommendation_rpc
from peakmesh.order.v1 import order_service_pb2 as orders
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as promotion_rpc
from tests.e2e.shop import Shop
from tests.json_client import JsonAnswer, ask


def _picture() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(held, "PNG")
    return held.getvalue()


_PNG = _picture()


@dataclass(frozen=True)
class FeatureCall:
    """`rpc`: full method path. `processes`: by the name of their port. `body`: of its JSON, None for a GET."""

    rpc: str
    stub: Any
    request: Any
    processes: tuple[str, ...]
    path: str
    body: Mapping[str, str] | None = None
    role: Role = Role.BUYER

    @property
    def method(self) -> str:
        return self.rpc.rsplit("/", 1)[1]

    async def grpc(self, shop: Shop, to: Any = None) -> None:
        """Through the gateway, or by the channel `to`. Raises what it was refused for."""
        asked, metadata = getattr(self.stub(to or shop.gateway), self.method), shop.metadata("ana", self.role)
        await call(asked, self.request, timeout=5, dependency=self.rpc, metadata=metadata)

    async def json(self, shop: Shop) -> JsonAnswer:
        body = self.body and {**self.body, "request_id": str(uuid4())}
        return await ask(f"{_gateway(shop)}{self.path}", self._token(shop), "POST" if body else "GET", body)

    async def grpc_web(self, shop: Shop) -> JsonAnswer:
        """A message in its frame, as a browser sends it; what it was refused for is in the headers."""
        message = self.request.SerializeToString()
        framed = b"\0" + len(message).to_bytes(4, "big") + message
        headers = {"content-type": "application/grpc-web+proto"}
        return await ask(f"{_gateway(shop)}{self.rpc}", self._token(shop), "POST", framed, **headers)

    async def is_off(self, shop: Shop, to: Any = None) -> bool:
        """Raises any other refusal, but for two that come from behind the switch: who polls is soon over the rate of
        what may be shed, and a busy machine may be late."""
        try:
            await self.grpc(shop, to)
        except FeatureDisabled:
            return True
        except (Overloaded, DeadlinePassed):
            return False
        return False

    async def is_on(self, shop: Shop, to: Any = None) -> bool:
        return not await self.is_off(shop, to)

    async def handled(self, settings: ProcessSettings) -> float:
        """Calls that the processes began to serve."""
        pattern = rf'grpc_server_started_total\{{[^}}]*grpc_method="{self.method}"[^}}]*\}}'
        return sum([await asyncio.to_thread(counted, settings, each, pattern) for each in self.processes])

    def _token(self, shop: Shop) -> str:
        return shop.issuer.issue("ana", self.role)


def _gateway(shop: Shop) -> str:
    return f"http://127.0.0.1:{shop.settings.ports['gateway']}"


def counted(settings: ProcessSettings, process: str, pattern: str) -> float:
    """The sum of a process' own metric."""
    with urlopen(f"http://127.0.0.1:{settings.ports[f'{process}_metrics']}/metrics", timeout=5) as answer:
        return sum(float(each) for each in re.findall(rf"^{pattern} (\S+)$", answer.read().decode(), re.MULTILINE))


_ORDERS = ("order_serve_0", "order_serve_1")
CALLS: Mapping[str, FeatureCall] = {
    "purchase-history": FeatureCall(
        "/peakmesh.order.v1.OrderService/ListOrders",
        order_rpc.OrderServiceStub,
        orders.ListOrdersRequest(),
        _ORDERS,
        "/v1/orders",
    ),
    "seller-analytics": FeatureCall(
        "/peakmesh.order.v1.OrderService/GetSellerAnalytics",
        order_rpc.OrderServiceStub,
        orders.GetSellerAnalyticsRequest(),
        _ORDERS,
        "/v1/seller/analytics",
        role=Role.SELLER,
    ),
    "recommendations": FeatureCall(
        "/peakmesh.engagement.v1.RecommendationService/Recommend",
        recommendation_rpc.RecommendationServiceStub,
        recommendation.RecommendRequest(),
        ("engagement",),
        "/v1/recommendations",
    ),
    "avatar-updates": FeatureCall(
        "/peakmesh.engagement.v1.ProfileService/UpdateAvatar",
        profile_rpc.ProfileServiceStub,
        profile.UpdateAvatarRequest(request_id=str(uuid4()), image=_PNG),
        ("engagement",),
        "/v1/profile/avatar",
        {"image": base64.b64encode(_PNG).decode()},
    ),
    "promotions": FeatureCall(
        "/peakmesh.promotion.v1.PromotionService/ListVouchers",
        promotion_rpc.PromotionServiceStub,
        promotion.ListVouchersRequest(),
        ("promo",),
        "/v1/vouchers",
    ),
}
