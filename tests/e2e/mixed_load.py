"""What a shop's clients do all day, at a set pace: every public way to buy and to look, over gRPC and JSON."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import grpc

from meshkit.errors import DependencyUnavailable, PromotionUnavailable
from meshkit.identity import Role
from meshkit.rpc.client import call, typed_error
from peakmesh.checkout.v1 import cart_service_pb2 as cart
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from peakmesh.checkout.v1 import catalog_service_pb2 as catalog
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as catalog_rpc
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.engagement.v1 import profile_service_pb2 as profile
from peakmesh.engagement.v1 import profile_service_pb2_grpc as profile_rpc
from peakmesh.engagement.v1 import recommendation_service_pb2 as recommendation
from peakmesh.engagement.v1 import recommendation_service_pb2_grpc as recommendation_rpc
from peakmesh.ops.v1 import ops_service_pb2 as ops
from peakmesh.order.v1 import order_service_pb2 as orders
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as promotion_rpc
from tests.e2e.shop import ADDRESS, OpenSale, Shop, State
from tests.json_client import ask

MOST_REPEATS = 5
JSON_ADDRESS = {
    "recipient": "Ana",
    "street": "High Street 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country_code": "DE",
}


@dataclass
class MixedLoad:
    """Each client is somebody new. `during`: what happens to the mesh meanwhile, for the failures' sake. `orders`: by
    buyer; `calls`: what was answered, by method; `resumed`: streams that ended early and were taken up again;
    `repeated`: refusals of a required discount that came when asked again, by what happened meanwhile."""

    shop: Shop
    sale: OpenSale
    seconds_between: float = 0.2
    during: str = "nothing"
    orders: dict[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    resumed: int = 0
    repeated: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Until the block is left, and all that began has ended."""
        stop = asyncio.Event()
        load = asyncio.create_task(self._run(stop))
        try:
            yield
        finally:
            stop.set()
            await load

    async def _run(self, stop: asyncio.Event) -> None:
        kinds: tuple[Callable[[str], Awaitable[None]], ...] = (self._buys, self._fills_a_cart, self._speaks_json)
        async with asyncio.TaskGroup() as clients:
            for number in count():
                clients.create_task(self._client(kinds[number % len(kinds)], f"{uuid4().hex[:8]}-{number}"))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self.seconds_between)
                    return

    async def _client(self, does: Callable[[str], Awaitable[None]], user: str) -> None:
        began = self.during
        try:
            await does(user)
        except Exception as error:
            self.failures.append(f"{does.__name__[1:]}, {began} → {self.during}: {error!r}")

    async def _buys(self, user: str) -> None:
        """A tap with a voucher that must be given, and a stream to the order's end."""
        request = self.shop.request(self.sale, voucher_code="TENCLUB", require_promotion=True)
        bought = await self._insisting(lambda: self._ask(checkout_rpc.CheckoutServiceStub, "PlaceOrder", user, request))
        assert bought.promotion.state == promotion.PROMOTION_STATE_APPLIED
        self.orders[user] = bought.order_id
        await self._ask(order_rpc.OrderServiceStub, "GetOrder", user, orders.GetOrderRequest(order_id=bought.order_id))
        await self._operator()
        await self._watches(user, bought.order_id)

    async def _fills_a_cart(self, user: str) -> None:
        await self.look(user)
        item = cart.AddItemRequest(request_id=str(uuid4()), sale_id=self.sale.sale_id, sku=self.sale.sku, quantity=1)
        await self._ask(cart_rpc.CartServiceStub, "AddItem", user, item)
        wish = checkout.CheckoutCartRequest(
            request_id=str(uuid4()), shipping_address=ADDRESS, voucher_code="WELCOME10", require_promotion=True
        )
        line = await self._insisting(lambda: self._checks_out(user, wish))
        assert line.order.promotion.state == promotion.PROMOTION_STATE_APPLIED, line
        self.orders[user] = line.order.order_id
        await self._watches(user, line.order.order_id)
        likes = recommendation.RecommendRequest()
        await self._ask(recommendation_rpc.RecommendationServiceStub, "Recommend", user, likes)
        await self._ask(profile_rpc.ProfileServiceStub, "GetProfile", user, profile.GetProfileRequest())
        await self._ask(promotion_rpc.PromotionServiceStub, "ListVouchers", user, promotion.ListVouchersRequest())
        await self._ask(order_rpc.OrderServiceStub, "ListOrders", user, orders.ListOrdersRequest())

    async def _checks_out(self, user: str, wish: checkout.CheckoutCartRequest) -> checkout.CheckoutLine:
        [line] = (await self._ask(checkout_rpc.CheckoutServiceStub, "CheckoutCart", user, wish)).lines
        if line.refusal.reason == PromotionUnavailable.reason:
            raise PromotionUnavailable(line.refusal.message, retry_after=line.refusal.retry_after.seconds)
        found: checkout.CheckoutLine = line
        return found

    async def look(self, user: str) -> None:
        """Raises AssertionError where the product is not found."""
        request = catalog.SearchProductsRequest(query=self.sale.sku)
        found = await self._ask(catalog_rpc.CatalogServiceStub, "SearchProducts", user, request)
        assert self.sale.sku in [each.sku for each in found.products]

    async def _speaks_json(self, user: str) -> None:
        body = {
            "sale_id": self.sale.sale_id,
            "sku": self.sale.sku,
            "quantity": 1,
            "request_id": str(uuid4()),
            "shipping_address": JSON_ADDRESS,
            "price_version": self.sale.price_version,
            "voucher_code": "WELCOME10",
            "require_promotion": True,
        }
        bought = await self._insisting(lambda: self._say("POST", "/orders", user, body))
        assert bought["promotion"]["state"] == "PROMOTION_STATE_APPLIED", bought
        self.orders[user] = bought["order_id"]
        await self._watches(user, bought["order_id"])
        mine = (f"/orders/{bought['order_id']}", "/orders", "/vouchers", "/recommendations", "/profile", "/cart")
        for path in (*mine, f"/products:search?query={self.sale.sku}"):
            await self._say("GET", path, user)

    async def _insisting(self, buy: Callable[[], Awaitable[Any]]) -> Any:
        """Of a busy machine promotions have 50 ms. Who must have the discount asks again, as the refusal says."""
        for _ in range(MOST_REPEATS):
            try:
                return await buy()
            except PromotionUnavailable as error:
                self.repeated[self.during] += 1
                await asyncio.sleep(error.retry_after or 0)
        return await buy()

    async def _operator(self) -> None:
        await self.shop.operate("GetSale", ops.GetSaleRequest(sale_id=self.sale.sale_id))
        self.calls["GetSale"] += 1

    async def _watches(self, user: str, order_id: str) -> None:
        """A process that stops ends its streams: each is told to be taken up again, and is."""
        state, stub = State.ORDER_STATE_UNSPECIFIED, order_rpc.OrderServiceStub(self.shop.gateway)
        while state != State.ORDER_STATE_TO_SHIP:
            stream: Any = stub.WatchOrder(
                orders.WatchOrderRequest(order_id=order_id), metadata=self.shop.metadata(user), timeout=60
            )
            try:
                async for answer in stream:
                    assert answer.order.state >= state, "no move is taken back"
                    state = answer.order.state
            except grpc.aio.AioRpcError as error:
                told = typed_error(error, "orders")
                if not isinstance(told, DependencyUnavailable):
                    raise told from error
                self.resumed += 1
        self.calls["WatchOrder"] += 1

    async def _ask(self, stub: Any, method: str, user: str, request: Any) -> Any:
        asked = getattr(stub(self.shop.gateway), method)
        answer = await call(asked, request, timeout=5, dependency=method, metadata=self.shop.metadata(user))
        self.calls[method] += 1
        return answer

    async def _say(self, verb: str, path: str, user: str, body: Any = None) -> Any:
        base = f"http://127.0.0.1:{self.shop.settings.ports['gateway']}/v1"
        answer = await ask(f"{base}{path}", self.shop.issuer.issue(user, Role.BUYER), verb, body)
        if answer.status == 503 and answer.reason == PromotionUnavailable.reason:
            raise PromotionUnavailable(answer.body["message"], retry_after=float(answer.retry_after))
        assert answer.status == 200, f"{verb} {path}: {answer}"
        self.calls[f"{verb} {path.split('/')[1].split('?', maxsplit=1)[0]}"] += 1
        return answer.body
