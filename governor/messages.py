"""The domain as OpsService's messages."""

from dataclasses import replace

from governor.open_sale import Answer
from governor.rebuild import Progress
from governor.sale import OfferRow, Sale, SaleState, SaleView, Units
from meshkit.money import from_minor
from meshkit.rpc.times import timestamp
from peakmesh.ops.v1 import ops_service_pb2 as pb

_PAUSED = frozenset({SaleState.PAUSING, SaleState.PAUSED, SaleState.RESUMING})


def sale_message(view: SaleView, now_ms: int) -> pb.Sale:
    sale = view.sale
    return pb.Sale(
        sale_id=sale.sale_id,
        state=state_at(sale, now_ms),
        offers=[_offer_of(view, row) for row in sale.offers],
        open_time=timestamp(sale.opens_ms),
        close_time=timestamp(sale.closes_ms) if sale.closes_ms else None,
    )


def state_at(sale: Sale, now_ms: int) -> "pb.SaleState.ValueType":
    """Before its opening a sale is SCHEDULED, after its closing CLOSED, whatever its row has not noted yet."""
    if sale.state in (SaleState.CLOSING, SaleState.CLOSED) or sale.is_over(now_ms):
        return pb.SALE_STATE_CLOSED
    if sale.state in _PAUSED:
        return pb.SALE_STATE_PAUSED
    if now_ms < sale.opens_ms:
        return pb.SALE_STATE_SCHEDULED
    # Its counters are not in Redis yet: it sells nothing.
    return pb.SALE_STATE_CLOSED if sale.state is SaleState.OPENING else pb.SALE_STATE_OPEN


def _offer_of(view: SaleView, row: OfferRow) -> pb.Offer:
    number = row.offer.offer_no
    message = offer_message(row, view.redis.get(number))
    message.redis_lost = number in view.lost
    return message


def offer_message(row: OfferRow, redis: Units | None) -> pb.Offer:
    """`redis` None: not looked at."""
    offer = row.offer
    return pb.Offer(
        offer_no=offer.offer_no,
        sku=offer.sku,
        units=row.initial,
        limit_per_user=offer.unit_limit,
        unit_price=from_minor(offer.price_minor, offer.currency),
        price_version=offer.price_version,
        database=_counters(row.units),
        redis=None if redis is None else _counters(redis),
    )


def rebuild_message(progress: Progress) -> pb.RebuildStockResponse:
    return pb.RebuildStockResponse(
        phase=pb.RebuildPhase.Value(f"REBUILD_PHASE_{progress.phase}"),
        epoch=progress.epoch,
        outbox=progress.outbox,
        markers_passed=progress.passed,
        markers=progress.markers,
        offers_done=progress.done,
        offers=progress.offers,
    )


def _counters(units: Units) -> pb.StockCounters:
    return pb.StockCounters(available=units.available, reserved=units.reserved, sold=units.sold)


def _encode(sale: Sale, now_ms: int) -> bytes:
    """Open, with all units available on both sides: the answer to the OpenSale that made it, recorded with it."""
    opened = replace(sale, state=SaleState.OPEN)
    message = sale_message(SaleView(opened, {row.offer.offer_no: row.units for row in sale.offers}), now_ms)
    return pb.OpenSaleResponse(sale=message).SerializeToString()


def _sale_id_of(response: bytes) -> str:
    return pb.OpenSaleResponse.FromString(response).sale.sale_id


OPEN_SALE_ANSWER = Answer(_encode, _sale_id_of)
