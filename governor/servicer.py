"""OpsService: protos to the use cases and back."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from google.protobuf.message import Message

from governor import checks
from governor.close_sale import CloseSale
from governor.get_sale import GetSale
from governor.import_catalog import ImportCatalog
from governor.messages import offer_message, sale_message
from governor.open_sale import OpenSale
from governor.ops_journal import OpsCall
from governor.set_stock import SetStock
from meshkit.rpc.edge import caller
from peakmesh.ops.v1 import ops_service_pb2 as pb
from peakmesh.ops.v1 import ops_service_pb2_grpc as rpc


@dataclass(frozen=True, slots=True)
class UseCases:
    open_sale: OpenSale
    close_sale: CloseSale
    get_sale: GetSale
    set_stock: SetStock
    import_catalog: ImportCatalog


class OpsServicer(rpc.OpsServiceServicer):
    """`now_ms` gives Unix milliseconds."""

    def __init__(self, use_cases: UseCases, now_ms: Callable[[], int]) -> None:
        self._use, self._now_ms = use_cases, now_ms

    async def OpenSale(self, request: pb.OpenSaleRequest, _context: Any) -> pb.OpenSaleResponse:
        new = checks.new_sale(request, self._now_ms())
        return pb.OpenSaleResponse.FromString(await self._use.open_sale(self._call("OpenSale", request), new))

    async def CloseSale(self, request: pb.CloseSaleRequest, _context: Any) -> pb.CloseSaleResponse:
        checks.close_sale(request)
        view = await self._use.close_sale(self._call("CloseSale", request), request.sale_id)
        return pb.CloseSaleResponse(sale=sale_message(view))

    async def GetSale(self, request: pb.GetSaleRequest, _context: Any) -> pb.GetSaleResponse:
        checks.get_sale(request)
        return pb.GetSaleResponse(sale=sale_message(await self._use.get_sale(request.sale_id)))

    async def SetStock(self, request: pb.SetStockRequest, _context: Any) -> pb.SetStockResponse:
        checks.set_stock(request)
        call = self._call("SetStock", request)
        row, redis = await self._use.set_stock(call, request.sale_id, request.sku, request.units)
        return pb.SetStockResponse(offer=offer_message(row, redis))

    async def ImportCatalog(self, request: pb.ImportCatalogRequest, _context: Any) -> pb.ImportCatalogResponse:
        products = checks.products(request)
        done = await self._use.import_catalog(self._call("ImportCatalog", request), products)
        return pb.ImportCatalogResponse(added=done.added, repriced=done.repriced, unchanged=done.unchanged)

    def _call(self, method: str, request: Any) -> OpsCall:
        request_id = str(request.request_id).lower()
        return OpsCall(request_id, method, _hash_of(request), caller().user_id, self._now_ms())


def _hash_of(request: Message) -> str:
    """Deterministic within a build. A retry over an upgrade that adds fields may be told REQUEST_ID_REUSED: an
    operator then looks with GetSale, and nothing was done twice."""
    return blake2b(request.SerializeToString(deterministic=True), digest_size=16).hexdigest()
