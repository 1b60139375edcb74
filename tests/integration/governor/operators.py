"""An operator at work: the calls, and a look behind them into SQL and Redis."""

import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from google.type.money_pb2 import Money
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from governor.settings import Settings
from kernel.offers import OFFERS_KEY
from kernel.order_ids import new_order_id
from kernel.stock import keys
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.results import ReserveKind, ReserveRequest
from meshkit.db.engine import database
from meshkit.identity import Role, TokenIssuer
from meshkit.ports import Ports
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import Metadata, call, channel
from peakmesh.ops.v1 import ops_service_pb2 as pb
from peakmesh.ops.v1 import ops_service_pb2_grpc as rpc
from tools import devstack


def free_base(least: int = 5_005) -> int:
    """An offset at which both ports of the governor can be bound."""
    for base in range(least, 10_000, 11):
        try:
            for name in ("governor", "governor_metrics"):
                with socket.socket() as taken:
                    taken.bind(("127.0.0.1", Ports(base)[name]))
        except OSError:
            continue
        return base
    raise OSError("no free port for the governor")


def settings_for(mesh: devstack.Mesh, base: int) -> Settings:
    return Settings(
        port_base=base,
        run_dir=mesh.run_dir,
        redis_url=mesh.settings.redis,
        db_url=mesh.settings.database,
        kafka_bootstrap=mesh.settings.kafka,
        drain_seconds=0,
        governor_heal_seconds=0.2,
        governor_dry_run=True,
    )


@dataclass(frozen=True)
class Desk:
    stub: Any
    issuer: TokenIssuer
    engine: AsyncEngine
    redis: Redis
    prefix: str

    @property
    def stock(self) -> RedisStock:
        return RedisStock(self.redis)

    def authorization(self, role: Role = Role.OPERATOR) -> Metadata:
        return (("authorization", f"Bearer {self.issuer.issue('olga', role)}"),)

    async def ask(self, method: str, request: Any, role: Role = Role.OPERATOR) -> Any:
        stub_method = getattr(self.stub, method)
        return await call(stub_method, request, timeout=10, dependency="governor", metadata=self.authorization(role))

    def new_name(self) -> str:
        """A SKU of this desk alone, by which `forget` finds what it opened."""
        return f"{self.prefix}-{secrets.token_hex(4)}"

    async def new_skus(self, count: int = 1) -> list[str]:
        """Imports `count` new products at 12.50 EUR and 300 g; returns their SKUs."""
        skus = [self.new_name() for _ in range(count)]
        await self.ask("ImportCatalog", catalog([product(sku) for sku in skus]))
        return skus

    async def new_sale(self, units: int = 10, limit: int = 2) -> pb.Sale:
        [sku] = await self.new_skus()
        answer = await self.ask("OpenSale", opening(sku, units, limit))
        assert isinstance(answer, pb.OpenSaleResponse)
        return answer.sale

    async def sale(self, sale_id: str) -> pb.Sale:
        answer = await self.ask("GetSale", pb.GetSaleRequest(sale_id=sale_id))
        assert isinstance(answer, pb.GetSaleResponse)
        return answer.sale

    async def reserve(self, offer: pb.Offer, quantity: int) -> ReserveKind:
        """A new buyer reserves, as checkout would."""
        buyer = f"buyer-{secrets.token_hex(4)}"
        request = ReserveRequest(
            order_id=new_order_id(offer.offer_no, 0),
            user_id=buyer,
            request_id=str(uuid4()),
            request_hash="h",
            quantity=quantity,
            price_version=offer.price_version,
            event=b"event",
            deadline_after_ms=60_000,
        )
        counters = await self.stock.counters(offer.offer_no, 0)
        assert counters is not None
        [result] = await self.stock.reserve(offer.offer_no, 0, counters.epoch, [request])
        return result.kind

    async def rows(self, query: str, **values: Any) -> Sequence[Any]:
        async with self.engine.connect() as connection:
            return (await connection.execute(text(query), values)).all()

    async def change(self, statement: str, **values: Any) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), values)

    async def forget(self) -> None:
        """No order stands behind these reservations: an audit of this mesh must not see them."""
        offers = await self.rows("SELECT offer_no, sale_id, sku FROM offer WHERE sku LIKE :sku", sku=f"{self.prefix}-%")
        for offer in offers:
            await self.change("DELETE FROM sale WHERE sale_id = :id", id=offer.sale_id)
            await self.change("DELETE FROM stock_rebuild WHERE offer_no = :no", no=offer.offer_no)
            await self.change("DELETE FROM offer WHERE offer_no = :no", no=offer.offer_no)
            await self.redis.hdel(OFFERS_KEY, f"{offer.sale_id}|{offer.sku}")
            async for key in self.redis.scan_iter(match=f"*{keys.tag(offer.offer_no, 0)}*", count=1000):
                await self.redis.delete(key)


@asynccontextmanager
async def desk_at(settings: Settings, port: int) -> AsyncIterator[Desk]:
    async with (
        database(settings.database) as engine,
        redis_pool(settings.redis) as redis,
        channel(f"127.0.0.1:{port}") as connection,
    ):
        stub: Any = rpc.OpsServiceStub(connection)
        desk = Desk(stub, TokenIssuer(settings.identity_dir), engine, redis, f"desk-{secrets.token_hex(5)}")
        yield desk
        await desk.forget()


def product(sku: str, units: int = 12, cents: int = 50, name: str = "A phone") -> pb.Product:
    price = Money(currency_code="EUR", units=units, nanos=cents * 10_000_000)
    return pb.Product(sku=sku, name=name, unit_price=price, weight_grams=300, seller_id="seller-1")


def catalog(products: Sequence[pb.Product], request_id: str = "") -> pb.ImportCatalogRequest:
    return pb.ImportCatalogRequest(request_id=request_id or str(uuid4()), products=products)


def opening(sku: str, units: int = 10, limit: int = 2, request_id: str = "") -> pb.OpenSaleRequest:
    spec = pb.OfferSpec(sku=sku, units=units, limit_per_user=limit)
    return pb.OpenSaleRequest(request_id=request_id or str(uuid4()), offers=[spec])


def setting(sale: pb.Sale, units: int, request_id: str = "") -> pb.SetStockRequest:
    return pb.SetStockRequest(
        request_id=request_id or str(uuid4()), sale_id=sale.sale_id, sku=sale.offers[0].sku, units=units
    )


def closing(sale: pb.Sale, request_id: str = "") -> pb.CloseSaleRequest:
    return pb.CloseSaleRequest(request_id=request_id or str(uuid4()), sale_id=sale.sale_id)
