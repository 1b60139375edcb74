"""An operator's calls: sales, stock and catalogue, through the operators' listener."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from meshkit.identity import Role, TokenIssuer
from meshkit.rpc.client import call, channel
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import ops_service_pb2 as pb
from peakmesh.ops.v1 import ops_service_pb2_grpc as rpc

TIMEOUT_SECONDS = 30.0


class Operator:
    """Each call makes its own request_id. Raises the typed errors of the contract."""

    def __init__(self, stub: Any, token: str) -> None:
        self._stub, self._metadata = stub, (("authorization", f"Bearer {token}"),)

    async def _call(self, method: str, request: Any) -> Any:
        asked = getattr(self._stub, method)
        return await call(asked, request, timeout=TIMEOUT_SECONDS, dependency="governor", metadata=self._metadata)

    async def open_sale(self, sku: str, units: int, limit: int) -> pb.Sale:
        return await self.open(pb.OpenSaleRequest(offers=[pb.OfferSpec(sku=sku, units=units, limit_per_user=limit)]))

    async def open(self, request: pb.OpenSaleRequest) -> pb.Sale:
        """`request` without its request_id."""
        request.request_id = str(uuid4())
        sale: pb.Sale = (await self._call("OpenSale", request)).sale
        return sale

    async def pause_sale(self, sale_id: str) -> pb.Sale:
        answer = await self._call("PauseSale", pb.PauseSaleRequest(sale_id=sale_id, request_id=str(uuid4())))
        sale: pb.Sale = answer.sale
        return sale

    async def resume_sale(self, sale_id: str) -> pb.Sale:
        answer = await self._call("ResumeSale", pb.ResumeSaleRequest(sale_id=sale_id, request_id=str(uuid4())))
        sale: pb.Sale = answer.sale
        return sale

    async def sales(self, page_size: int = 0, page_token: str = "") -> pb.ListSalesResponse:
        request = pb.ListSalesRequest(page_size=page_size, page_token=page_token)
        page: pb.ListSalesResponse = await self._call("ListSales", request)
        return page

    async def close_sale(self, sale_id: str) -> pb.Sale:
        answer = await self._call("CloseSale", pb.CloseSaleRequest(sale_id=sale_id, request_id=str(uuid4())))
        sale: pb.Sale = answer.sale
        return sale

    async def sale(self, sale_id: str) -> pb.Sale:
        answer = await self._call("GetSale", pb.GetSaleRequest(sale_id=sale_id))
        sale: pb.Sale = answer.sale
        return sale

    async def rebuild_stock(self, request: pb.RebuildStockRequest) -> pb.RebuildStockResponse:
        """`request` with its request_id: it is one call, made until it is DONE."""
        answer: pb.RebuildStockResponse = await self._call("RebuildStock", request)
        return answer

    async def import_catalog(self, products: Sequence[pb.Product]) -> pb.ImportCatalogResponse:
        request = pb.ImportCatalogRequest(request_id=str(uuid4()), products=products)
        answer: pb.ImportCatalogResponse = await self._call("ImportCatalog", request)
        return answer


@asynccontextmanager
async def operating(settings: ProcessSettings) -> AsyncIterator[Operator]:
    """An operator with a token of the mesh's own key."""
    token = TokenIssuer(settings.identity_dir).issue("operator-cli", Role.OPERATOR)
    async with channel(f"127.0.0.1:{settings.ports['operators']}") as to:
        yield Operator(rpc.OpsServiceStub(to), token)
