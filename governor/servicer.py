"""OpsService: protos to the use cases and back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from governor import checks
from governor.close_sale import CloseSale
from governor.get_sale import GetSale
from governor.import_catalog import ImportCatalog
from governor.list_sales import ListSales
from governor.messages import offer_message, rebuild_message, sale_message
from governor.open_sale import OpenSale
from governor.pause_sale import PauseOrResume
from governor.rebuild_stock import RebuildStock
from governor.sale import SaleView
from governor.set_stock import SetStock
from kernel.ops_journal import OpsCall, hash_of
from meshkit.rpc.edge import caller
from peakmesh.ops.v1 import ops_service_pb2 as pb
from peakmesh.ops.v1 import ops_service_pb2_grpc as rpc


@dataclass(frozen=True, slots=True)
class UseCases:
    open_sale: OpenSale
    close_sale: CloseSale
    pause_sale: PauseOrResume
    resume_sale: PauseOrResume
    get_sale: GetSale
    list_sales: ListSales
    set_stock: SetStock
    import_catalog: ImportCatalog
    rebuild_stock: RebuildStock


class OpsServicer(rpc.OpsServiceServicer):
    """`now_ms` gives Unix milliseconds."""

    def __init__(self, use_cases: UseCases, now_ms: Callable[[], int]) -> None:
        self._use, self._now_ms = use_cases, now_ms

    async def OpenSale(self, request: pb.OpenSaleRequest, _context: Any) -> pb.OpenSaleResponse:
        new = checks.new_sale(request, self._now_ms())
        return pb.OpenSaleResponse.FromString(await self._use.open_sale(self._call("OpenSale", request), new))

    async def CloseSale(self, request: pb.CloseSaleRequest, _context: Any) -> pb.CloseSaleResponse:
        checks.change_sale(request)
        view = await self._use.close_sale(self._call("CloseSale", request), request.sale_id)
        return pb.CloseSaleResponse(sale=sale_message(view, self._now_ms()))

    async def PauseSale(self, request: pb.PauseSaleRequest, _context: Any) -> pb.PauseSaleResponse:
        checks.change_sale(request)
        view = await self._use.pause_sale(self._call("PauseSale", request), request.sale_id)
        return pb.PauseSaleResponse(sale=sale_message(view, self._now_ms()))

    async def ResumeSale(self, request: pb.ResumeSaleRequest, _context: Any) -> pb.ResumeSaleResponse:
        checks.change_sale(request)
        view = await self._use.resume_sale(self._call("ResumeSale", request), request.sale_id)
        return pb.ResumeSaleResponse(sale=sale_message(view, self._now_ms()))

    async def ListSales(self, request: pb.ListSalesRequest, _context: Any) -> pb.ListSalesResponse:
        page, now_ms = await self._use.list_sales(request.page_size, request.page_token), self._now_ms()
        sales = [sale_message(SaleView(sale, {}), now_ms) for sale in page.sales]
        return pb.ListSalesResponse(sales=sales, next_page_token=page.next_token)

    async def GetSale(self, request: pb.GetSaleRequest, _context: Any) -> pb.GetSaleResponse:
        checks.get_sale(request)
        return pb.GetSaleResponse(sale=sale_message(await self._use.get_sale(request.sale_id), self._now_ms()))

    async def SetStock(self, request: pb.SetStockRequest, _context: Any) -> pb.SetStockResponse:
        checks.set_stock(request)
        call = self._call("SetStock", request)
        row, redis = await self._use.set_stock(call, request.sale_id, request.sku, request.units)
        return pb.SetStockResponse(offer=offer_message(row, redis))

    async def ImportCatalog(self, request: pb.ImportCatalogRequest, _context: Any) -> pb.ImportCatalogResponse:
        products = checks.products(request)
        done = await self._use.import_catalog(self._call("ImportCatalog", request), products)
        return pb.ImportCatalogResponse(added=done.added, repriced=done.repriced, unchanged=done.unchanged)

    async def RebuildStock(self, request: pb.RebuildStockRequest, _context: Any) -> pb.RebuildStockResponse:
        checks.rebuild_stock(request)
        call = self._call("RebuildStock", request)
        return rebuild_message(await self._use.rebuild_stock(call, request.sale_id, request.reason))

    def _call(self, method: str, request: Any) -> OpsCall:
        request_id = str(request.request_id).lower()
        return OpsCall(request_id, method, hash_of(request), caller().user_id, self._now_ms())
