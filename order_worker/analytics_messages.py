"""Seller analytics: messages ⇄ domain."""

from meshkit.money import from_minor
from meshkit.rpc.fields import Fields
from meshkit.rpc.times import timestamp
from order_worker.sales_reads import Figures
from order_worker.seller_analytics import Analytics
from order_worker.time_range import millis
from peakmesh.order.v1 import order_service_pb2 as api


def to_range(request: api.GetSellerAnalyticsRequest) -> tuple[int | None, int | None]:
    """(from, until) in Unix milliseconds. Raises InvalidFields."""
    fields = Fields()
    span = millis(fields, request, "from_time"), millis(fields, request, "until_time")
    fields.check()
    return span


def to_response(found: Analytics) -> api.GetSellerAnalyticsResponse:
    return api.GetSellerAnalyticsResponse(
        from_time=timestamp(found.from_ms),
        until_time=timestamp(found.until_ms),
        totals=[_figures(each) for each in found.totals],
        hours=[
            api.HourFigures(start_time=timestamp(begin), figures=_figures(each)) for begin, each in found.sales.hours
        ],
        skus=[api.SkuFigures(sku=sku, figures=_figures(each)) for sku, each in found.sales.skus],
        more_skus=found.sales.more_skus,
    )


def _figures(figures: Figures) -> api.SalesFigures:
    message = api.SalesFigures(
        revenue=from_minor(figures.revenue_minor, figures.currency),
        orders=figures.orders,
        units=figures.units,
        payment_failures=figures.payment_failures,
        refunds=figures.refunds,
    )
    if figures.orders:
        average = (2 * figures.revenue_minor + figures.orders) // (2 * figures.orders)
        message.average_order_value.CopyFrom(from_minor(average, figures.currency))
    return message
