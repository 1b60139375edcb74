"""A valid request of every public RPC on a sale that is open, and what else than nonsense a field of it may hold."""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from PIL import Image

from meshkit.clock import wall_ms
from meshkit.identity import Role
from meshkit.money import from_minor
from peakmesh.checkout.v1 import cart_service_pb2 as cart
from peakmesh.checkout.v1 import catalog_service_pb2 as catalog
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.engagement.v1 import profile_service_pb2 as profile
from peakmesh.engagement.v1 import recommendation_service_pb2 as recommendation
from peakmesh.order.v1 import order_pb2, order_service_pb2
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion
from tests.e2e.shop import ADDRESS, OpenSale


@dataclass(frozen=True)
class Ground:
    """What the requests are about: an open sale, an order of it, and the buyer of both, whose cart has a line of it."""

    user: str
    sale: OpenSale
    order_id: str


def picture() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (16, 16)).save(held, "PNG")
    return held.getvalue()


def ago(seconds: int) -> Timestamp:
    return Timestamp(seconds=wall_ms() // 1000 - seconds)


def _line(ground: Ground) -> dict[str, Any]:
    return {"sale_id": ground.sale.sale_id, "sku": ground.sale.sku, "request_id": str(uuid4())}


def _list_orders(_: Ground) -> Message:
    states = [order_pb2.ORDER_STATE_CREATED]
    return order_service_pb2.ListOrdersRequest(page_size=1, states=states, from_time=ago(60), until_time=ago(0))


def _search(ground: Ground) -> Message:
    low, high = from_minor(1, "EUR"), from_minor(999_999, "EUR")
    return catalog.SearchProductsRequest(query=ground.sale.sku, min_price=low, max_price=high, page_size=1)


def _place(ground: Ground) -> Message:
    bought: dict[str, Any] = {"quantity": 1, "price_version": ground.sale.price_version, "shipping_address": ADDRESS}
    return checkout.PlaceOrderRequest(**_line(ground), **bought)


# By RPC; one that is missing here fails the tests of malformed input.
VALID: Mapping[str, Callable[[Ground], Message]] = {
    "AddItem": lambda ground: cart.AddItemRequest(**_line(ground), quantity=1),
    "UpdateItem": lambda ground: cart.UpdateItemRequest(**_line(ground), quantity=1),
    "RemoveItem": lambda ground: cart.RemoveItemRequest(**_line(ground)),
    "GetCart": lambda _: cart.GetCartRequest(),
    "ClearCart": lambda _: cart.ClearCartRequest(request_id=str(uuid4())),
    "SearchProducts": _search,
    "GetProduct": lambda ground: catalog.GetProductRequest(sku=ground.sale.sku),
    "ListOffers": lambda ground: catalog.ListOffersRequest(sale_id=ground.sale.sale_id, page_size=1),
    "PlaceOrder": _place,
    "CheckoutCart": lambda _: checkout.CheckoutCartRequest(request_id=str(uuid4()), shipping_address=ADDRESS),
    "UpdateAvatar": lambda _: profile.UpdateAvatarRequest(request_id=str(uuid4()), image=picture()),
    "GetProfile": lambda _: profile.GetProfileRequest(),
    "Recommend": lambda _: recommendation.RecommendRequest(page_size=1),
    "GetOrder": lambda ground: order_service_pb2.GetOrderRequest(order_id=ground.order_id),
    "ListOrders": _list_orders,
    "WatchOrder": lambda ground: order_service_pb2.WatchOrderRequest(order_id=ground.order_id),
    "CancelOrder": lambda ground: order_service_pb2.CancelOrderRequest(
        order_id=ground.order_id, request_id=str(uuid4()), reason="changed my mind"
    ),
    "GetSellerAnalytics": lambda _: order_service_pb2.GetSellerAnalyticsRequest(from_time=ago(60), until_time=ago(0)),
    "ListVouchers": lambda _: promotion.ListVouchersRequest(page_size=1),
}
ROLES = {"GetSellerAnalytics": Role.SELLER}
_TIMED = ("ListOrders", "GetSellerAnalytics")
_PAGED = ("SearchProducts", "ListOffers", "ListOrders", "ListVouchers")


def unset(value: Any) -> bool:
    return value is None


def optional(value: Any) -> bool:
    """A text left out."""
    return value is None or value == ""


def zero(value: Any) -> bool:
    return value is None or (type(value) is int and value == 0)


def name(value: Any) -> bool:
    """Of a sale or product that there may be: NOT_FOUND is no fault of its form."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value) is not None


def optional_name(value: Any) -> bool:
    return optional(value) or name(value)


def text(low: int, high: int) -> Callable[[Any], bool]:
    """Words that people write: so many characters, all of them printable."""

    def takes(value: Any) -> bool:
        words = value or ""
        return isinstance(words, str) and low <= len(words.strip()) and len(words) <= high and words.isprintable()

    return takes


def query(value: Any) -> bool:
    words = value or ""
    return isinstance(words, str) and len(words) <= 200 and not set(words) & {"\x00", "\x1f", "\x7f"}


def size(value: Any) -> bool:
    """A page may be asked for as large as one likes: it is cut."""
    return zero(value) or value in (101, 2**31 - 1)


# Message.field → what of the nonsense it takes, as its contract says. All other nonsense must be refused by name.
ALLOWED: Mapping[str, Callable[[Any], bool]] = {
    "ShippingAddress.recipient": text(1, 100),
    "ShippingAddress.street": text(1, 200),
    "ShippingAddress.city": text(1, 100),
    "ShippingAddress.postal_code": text(1, 16),
    "CancelOrderRequest.reason": text(0, 200),
    "SearchProductsRequest.query": query,
    "PlaceOrderRequest.price_version": lambda value: value in (101, 2**31 - 1),
    "Money.units": zero,
    "Money.nanos": zero,
    **dict.fromkeys(("SearchProductsRequest.min_price", "SearchProductsRequest.max_price"), unset),
    "SearchProductsRequest.stock_state": zero,
    **dict.fromkeys(("PlaceOrderRequest.voucher_code", "CheckoutCartRequest.voucher_code"), optional_name),
    **dict.fromkeys(("PlaceOrderRequest.require_promotion", "CheckoutCartRequest.require_promotion"), unset),
    "PlaceOrderRequest.buyer_id": optional,
    "ListOffersRequest.sale_id": optional_name,
    "ListOrdersRequest.states": unset,
    **{f"{each}Request.sale_id": name for each in ("AddItem", "UpdateItem", "RemoveItem", "PlaceOrder")},
    **{f"{each}Request.sku": name for each in ("AddItem", "UpdateItem", "RemoveItem", "PlaceOrder", "GetProduct")},
    **{f"{each}Request.{end}": unset for each in _TIMED for end in ("from_time", "until_time")},
    **{f"{each}Request.page_token": optional for each in _PAGED},
    **{f"{each}Request.page_size": size for each in (*_PAGED, "Recommend")},
}
