"""The calls a scenario's load is made of, each a buyer's own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc

from meshkit.identity import Role, TokenIssuer
from meshkit.rpc.client import Metadata, call
from peakmesh.checkout.v1 import cart_service_pb2 as cart
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from peakmesh.checkout.v1 import catalog_service_pb2 as catalog
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as catalog_rpc
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.engagement.v1 import profile_service_pb2 as profile_pb
from peakmesh.engagement.v1 import profile_service_pb2_grpc as profile_rpc
from peakmesh.engagement.v1 import recommendation_service_pb2 as engagement
from peakmesh.engagement.v1 import recommendation_service_pb2_grpc as engagement_rpc
from peakmesh.order.v1 import order_service_pb2 as order_pb
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from peakmesh.order.v1.order_pb2 import ShippingAddress
from peakmesh.promotion.v1.promotion_service_pb2 import PromotionState

TIMEOUT_SECONDS = 5.0
VOUCHER = "WELCOME10"
ADDRESS = ShippingAddress(
    recipient="A Buyer", street="High Street 1", city="Berlin", postal_code="10115", country_code="DE"
)


@dataclass(frozen=True)
class Stage:
    """Where the load plays: the gateway, and one offer with units enough, of a seller of its own and with a name that
    no other has. `heads`: metadata of every call."""

    gateway: grpc.aio.Channel
    issuer: TokenIssuer
    sale_id: str
    sku: str
    price_version: int
    name: str
    seller: str
    picture: bytes
    heads: Metadata = ()

    async def ask(self, stub: Any, method: str, request: Any, user: str, role: Role = Role.BUYER) -> Any:
        """Raises PeakmeshError."""
        metadata = (("authorization", f"Bearer {self.issuer.issue(user, role)}"), *self.heads)
        asked = getattr(stub(self.gateway), method)
        return await call(asked, request, timeout=TIMEOUT_SECONDS, dependency="the gateway", metadata=metadata)


async def _order(stage: Stage, user: str, voucher: str = "") -> checkout.PlaceOrderResponse:
    request = checkout.PlaceOrderRequest(
        sale_id=stage.sale_id,
        sku=stage.sku,
        quantity=1,
        request_id=str(uuid4()),
        shipping_address=ADDRESS,
        price_version=stage.price_version,
        voucher_code=voucher,
    )
    answer: checkout.PlaceOrderResponse = await stage.ask(checkout_rpc.CheckoutServiceStub, "PlaceOrder", request, user)
    return answer


async def order(stage: Stage, user: str) -> str:
    return _acceptance((await _order(stage, user)).acceptance)


async def order_with_voucher(stage: Stage, user: str) -> str:
    """Answers what became of the voucher: APPLIED, UNAVAILABLE (the fallback: list price), REFUSED."""
    answer = await _order(stage, user, VOUCHER)
    return PromotionState.Name(answer.promotion.state).removeprefix("PROMOTION_STATE_")


async def finds(stage: Stage, user: str) -> bool:
    """Whether a search for its name has the offer's product first."""
    query = catalog.SearchProductsRequest(query=stage.name)
    found = (await stage.ask(catalog_rpc.CatalogServiceStub, "SearchProducts", query, user)).products
    return bool(found) and found[0].sku == stage.sku


async def shop(stage: Stage, user: str) -> str:
    """Search → cart → checkout, timed as one: what was found is put into the cart, and what was put there is ordered.
    Answers the order's acceptance, or what was missing."""
    if not await finds(stage, user):
        return "NOT_FOUND"
    item = cart.AddItemRequest(request_id=str(uuid4()), sale_id=stage.sale_id, sku=stage.sku, quantity=1)
    added = (await stage.ask(cart_rpc.CartServiceStub, "AddItem", item, user)).cart
    if [(line.sku, line.quantity) for line in added.lines] != [(stage.sku, 1)]:
        return "NOT_IN_CART"
    request = checkout.CheckoutCartRequest(request_id=str(uuid4()), shipping_address=ADDRESS)
    lines = (await stage.ask(checkout_rpc.CheckoutServiceStub, "CheckoutCart", request, user)).lines
    if [line.sku for line in lines] != [stage.sku] or not lines[0].HasField("order"):
        return "NOT_ORDERED"
    return _acceptance(lines[0].order.acceptance)


async def history(stage: Stage, user: str) -> str:
    await stage.ask(order_rpc.OrderServiceStub, "ListOrders", order_pb.ListOrdersRequest(), user)
    return "LISTED"


async def recommendations(stage: Stage, user: str) -> str:
    stub = engagement_rpc.RecommendationServiceStub
    await stage.ask(stub, "Recommend", engagement.RecommendRequest(), user)
    return "RECOMMENDED"


async def profile(stage: Stage, user: str) -> str:
    await stage.ask(profile_rpc.ProfileServiceStub, "GetProfile", profile_pb.GetProfileRequest(), user)
    return "SHOWN"


async def avatar(stage: Stage, user: str) -> str:
    request = profile_pb.UpdateAvatarRequest(request_id=str(uuid4()), image=stage.picture)
    kept = (await stage.ask(profile_rpc.ProfileServiceStub, "UpdateAvatar", request, user)).profile
    return "KEPT" if kept.avatar else "NOT_KEPT"


async def analytics(stage: Stage, _: str) -> str:
    """The seller of the offer asks."""
    request = order_pb.GetSellerAnalyticsRequest()
    await stage.ask(order_rpc.OrderServiceStub, "GetSellerAnalytics", request, stage.seller, Role.SELLER)
    return "COUNTED"


def _acceptance(value: Any) -> str:
    return checkout.Acceptance.Name(value).removeprefix("ACCEPTANCE_")


CALLS: Mapping[str, Callable[[Stage, str], Awaitable[str]]] = {
    "order": order,
    "order_with_voucher": order_with_voucher,
    "shop": shop,
    "history": history,
    "recommendations": recommendations,
    "profile": profile,
    "avatar": avatar,
    "analytics": analytics,
}
# An answer of one of these words is what its caller wanted, whatever price it got.
GOOD = {
    *("QUEUED", "PENDING", "APPLIED", "UNAVAILABLE", "REFUSED"),
    *("LISTED", "RECOMMENDED", "SHOWN", "KEPT", "COUNTED"),
}
