"""CatalogService: protos to the domain and back."""

from typing import Any

from checkout_svc import check_catalog
from checkout_svc.catalog import Catalog
from checkout_svc.list_offers import ListOffers
from checkout_svc.on_sale import OnSale
from checkout_svc.page_tokens import offers_token, search_token
from checkout_svc.shown_product import ShownProduct
from meshkit.errors import ProductNotFound
from meshkit.money import from_minor
from meshkit.rpc.times import timestamp
from peakmesh.checkout.v1 import catalog_service_pb2 as pb
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as rpc


class CatalogServicer(rpc.CatalogServiceServicer):
    def __init__(self, catalog: Catalog, list_offers: ListOffers) -> None:
        self._catalog, self._list_offers = catalog, list_offers

    async def SearchProducts(self, request: pb.SearchProductsRequest, _context: Any) -> pb.SearchProductsResponse:
        page = check_catalog.search_page(request)
        found = await self._catalog.search(page.wanted, page.size, page.after)
        token = search_token(found.after, page.wanted)
        return pb.SearchProductsResponse(products=map(_product, found.products), next_page_token=token)

    async def GetProduct(self, request: pb.GetProductRequest, _context: Any) -> pb.GetProductResponse:
        found = await self._catalog.find(check_catalog.sku(request))
        if found is None:
            raise ProductNotFound("no such product", metadata={"sku": request.sku})
        return pb.GetProductResponse(product=_product(found))

    async def ListOffers(self, request: pb.ListOffersRequest, _context: Any) -> pb.ListOffersResponse:
        asked = check_catalog.offers_page(request)
        page = await self._list_offers(asked.sale_id, asked.size, asked.after)
        token = "" if page.last is None else offers_token(page.last, asked.sale_id)
        offers = [_offer(each, page.names.get(each.offer.sku, "")) for each in page.offers]
        return pb.ListOffersResponse(offers=offers, next_page_token=token)


def _product(product: ShownProduct) -> pb.Product:
    return pb.Product(
        sku=product.sku,
        name=product.name,
        unit_price=from_minor(product.price_minor, product.currency),
        price_version=product.price_version,
        weight_grams=product.weight_grams,
        seller_id=product.seller_id,
        stock_state=pb.StockState.ValueType(product.state),
        sale_id=product.sale_id,
    )


def _offer(each: OnSale, name: str) -> pb.Offer:
    offer = each.offer
    return pb.Offer(
        sale_id=offer.sale_id,
        sku=offer.sku,
        name=name,
        unit_price=from_minor(offer.price_minor, offer.currency),
        price_version=offer.price_version,
        limit_per_user=offer.unit_limit,
        stock_state=pb.StockState.ValueType(each.state),
        open_time=timestamp(each.opens_ms),
        close_time=timestamp(each.closes_ms) if each.closes_ms else None,
    )
