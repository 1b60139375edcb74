"""A client of the whole mesh, as the end-to-end tests speak to it: through Envoy, with a token, typed errors back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc

from meshkit.errors import DeadlinePassed, DependencyUnavailable
from meshkit.identity import Role, TokenIssuer
from meshkit.money import from_minor
from meshkit.rpc.client import call, channel
from meshkit.settings import ProcessSettings
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.ops.v1 import ops_service_pb2 as ops
from peakmesh.ops.v1 import ops_service_pb2_grpc as ops_rpc
from peakmesh.order.v1 import order_pb2, order_service_pb2
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from peakmesh.provider.v1 import wallet_service_pb2 as wallet
from peakmesh.provider.v1 import wallet_service_pb2_grpc as wallet_rpc
from tests.polling import eventually

ADDRESS = order_pb2.ShippingAddress(
    recipient="Ana", street="High Street 1", city="Berlin", postal_code="10115", country_code="DE"
)
State = order_pb2.OrderState


@dataclass(frozen=True)
class OpenSale:
    sale_id: str
    sku: str
    offer_no: int
    price_version: int


@dataclass
class Shop:
    """Buyers, an operator and the wallet provider, over one channel to each listener."""

    settings: ProcessSettings
    gateway: grpc.aio.Channel
    operators: grpc.aio.Channel
    egress: grpc.aio.Channel
    issuer: TokenIssuer
    skus: list[str] = field(default_factory=list)

    def metadata(self, user: str, role: Role = Role.BUYER) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.issuer.issue(user, role)}"),)

    async def operate(self, method: str, request: Any) -> Any:
        stub: Any = ops_rpc.OpsServiceStub(self.operators)
        metadata = self.metadata("op-tests", Role.OPERATOR)
        return await call(getattr(stub, method), request, timeout=10, dependency="governor", metadata=metadata)

    async def open_sale(self, units: int, limit: int = 1, price_minor: int = 1999) -> OpenSale:
        """A sale of one new product."""
        sku = f"sku-{uuid4().hex[:12]}"
        product = ops.Product(
            sku=sku, name="A test phone", unit_price=from_minor(price_minor, "EUR"), weight_grams=400, seller_id="s1"
        )
        await self.operate("ImportCatalog", ops.ImportCatalogRequest(request_id=str(uuid4()), products=[product]))
        spec = ops.OfferSpec(sku=sku, units=units, limit_per_user=limit)
        opened = await self.operate("OpenSale", ops.OpenSaleRequest(request_id=str(uuid4()), offers=[spec]))
        offer = opened.sale.offers[0]
        return OpenSale(opened.sale.sale_id, sku, offer.offer_no, offer.price_version)

    async def offer(self, sale: OpenSale) -> ops.Offer:
        answer = await self.operate("GetSale", ops.GetSaleRequest(sale_id=sale.sale_id))
        found: ops.Offer = answer.sale.offers[0]
        return found

    def request(self, sale: OpenSale, **changes: Any) -> checkout.PlaceOrderRequest:
        fields: dict[str, Any] = {
            "sale_id": sale.sale_id,
            "sku": sale.sku,
            "quantity": 1,
            "request_id": str(uuid4()),
            "shipping_address": ADDRESS,
            "price_version": sale.price_version,
        }
        return checkout.PlaceOrderRequest(**(fields | changes))

    async def send(
        self, user: str, request: checkout.PlaceOrderRequest, role: Role = Role.BUYER, timeout: float = 10
    ) -> checkout.PlaceOrderResponse:
        stub: Any = checkout_rpc.CheckoutServiceStub(self.gateway)
        metadata = self.metadata(user, role)
        answer: checkout.PlaceOrderResponse = await call(
            stub.PlaceOrder, request, timeout=timeout, dependency="checkout", metadata=metadata
        )
        return answer

    async def place(self, user: str, sale: OpenSale, **changes: Any) -> checkout.PlaceOrderResponse:
        return await self.send(user, self.request(sale, **changes))

    async def order(self, user: str, order_id: str) -> order_pb2.Order:
        stub: Any = order_rpc.OrderServiceStub(self.gateway)
        request = order_service_pb2.GetOrderRequest(order_id=order_id)
        metadata = self.metadata(user)
        answer = await call(stub.GetOrder, request, timeout=5, dependency="orders", metadata=metadata)
        found: order_pb2.Order = answer.order
        return found

    async def reaches(
        self, user: str, order_id: str, *states: int, within: float = 20, patient: bool = False
    ) -> order_pb2.Order:
        """Polls until the order is in one of `states`. `patient`: also where it is told that something is away."""
        seen: list[order_pb2.Order] = []

        async def check() -> bool:
            try:
                seen[:] = [await self.order(user, order_id)]
            except (DeadlinePassed, DependencyUnavailable):
                if not patient:
                    raise
                return False
            return seen[0].state in states

        await eventually(check, within=within)
        return seen[0]

    async def set_balance(self, minor: int, *users: str) -> None:
        stub: Any = wallet_rpc.WalletServiceStub(self.egress)
        request = wallet.SetBalanceRequest(user_ids=users, balance=from_minor(minor, "EUR"))
        await call(stub.SetBalance, request, timeout=5, dependency="wallet")


@asynccontextmanager
async def shopping(settings: ProcessSettings) -> AsyncIterator[Shop]:
    ports = settings.ports
    async with (
        channel(f"127.0.0.1:{ports['gateway']}") as gateway,
        channel(f"127.0.0.1:{ports['operators']}") as operators,
        channel(f"127.0.0.1:{ports['egress']}") as egress,
    ):
        yield Shop(settings, gateway, operators, egress, TokenIssuer(settings.identity_dir))
