"""What a request must be before it reaches a use case; every wrong field is told at once."""

from collections import Counter
from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from governor.sale import NewSale, OfferSpec, Product
from kernel.schema import REASON_CHARS
from meshkit.money import to_minor
from meshkit.rpc.fields import Fields
from peakmesh.ops.v1 import ops_service_pb2 as pb

MAX_UNITS = 10_000_000
MAX_PRICE_MINOR = 10**12  # times 1,000 units a user still fits the int64 of google.type.Money
_LAST_SECOND = 253_402_300_799  # 9999-12-31


def new_sale(request: pb.OpenSaleRequest, now_ms: int) -> NewSale:
    """Raises InvalidFields."""
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    fields.between("offers", len(request.offers), 1, 100)
    for i, spec in enumerate(request.offers):
        fields.ident(f"offers[{i}].sku", spec.sku)
        fields.between(f"offers[{i}].units", spec.units, 1, MAX_UNITS)
        fields.between(f"offers[{i}].limit_per_user", spec.limit_per_user, 1, 1000)
    _once_each(fields, "offers", [spec.sku for spec in request.offers])
    opens_ms = _millis(fields, "open_time", request.open_time) if request.HasField("open_time") else now_ms
    closes_ms = _millis(fields, "close_time", request.close_time) if request.HasField("close_time") else 0
    later = not request.HasField("close_time") or closes_ms > max(opens_ms, now_ms)
    fields.require(later, "close_time", "must be after open_time, and not be over")
    fields.check()
    specs = [OfferSpec(spec.sku, spec.units, spec.limit_per_user) for spec in request.offers]
    return NewSale(specs, opens_ms, closes_ms)


def change_sale(request: pb.CloseSaleRequest | pb.PauseSaleRequest | pb.ResumeSaleRequest) -> None:
    """Raises InvalidFields."""
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    fields.ident("sale_id", request.sale_id)
    fields.check()


def rebuild_stock(request: pb.RebuildStockRequest) -> None:
    """Raises InvalidFields."""
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    fields.require(not (request.sale_id and request.all_sales), "all_sales", "not together with sale_id")
    if not request.all_sales:
        fields.ident("sale_id", request.sale_id)
    fields.text("reason", request.reason, 1, REASON_CHARS)
    fields.check()


def get_sale(request: pb.GetSaleRequest) -> None:
    """Raises InvalidFields."""
    fields = Fields()
    fields.ident("sale_id", request.sale_id)
    fields.check()


def set_stock(request: pb.SetStockRequest) -> None:
    """Raises InvalidFields."""
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    fields.ident("sale_id", request.sale_id)
    fields.ident("sku", request.sku)
    fields.between("units", request.units, 0, MAX_UNITS)
    fields.check()


def products(request: pb.ImportCatalogRequest) -> list[Product]:
    """Raises InvalidFields."""
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    fields.between("products", len(request.products), 1, 10_000)
    found = [_product(fields, f"products[{i}]", each) for i, each in enumerate(request.products)]
    _once_each(fields, "products", [each.sku for each in found])
    fields.check()
    return found


def _product(fields: Fields, path: str, each: pb.Product) -> Product:
    fields.ident(f"{path}.sku", each.sku)
    fields.text(f"{path}.name", each.name, 1, 200)
    fields.between(f"{path}.weight_grams", each.weight_grams, 1, 100_000)
    fields.ident(f"{path}.seller_id", each.seller_id)
    minor = 0
    try:
        minor = to_minor(each.unit_price)
        fields.between(f"{path}.unit_price", minor, 1, MAX_PRICE_MINOR)
    except ValueError as error:
        fields.require(False, f"{path}.unit_price", str(error))
    return Product(each.sku, each.name, minor, each.unit_price.currency_code, each.weight_grams, each.seller_id)


def _once_each(fields: Fields, field: str, skus: Iterable[str]) -> None:
    twice = sorted(sku for sku, count in Counter(skus).items() if count > 1)
    fields.require(not twice, field, f"each SKU once; more than once: {', '.join(twice[:10])}")


def _millis(fields: Fields, field: str, value: Timestamp) -> int:
    fits = 0 < value.seconds <= _LAST_SECOND and 0 <= value.nanos < 1_000_000_000
    fields.require(fits, field, "must be a time between 1970 and 9999")
    return value.seconds * 1000 + value.nanos // 1_000_000
