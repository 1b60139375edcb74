"""PromotionService: protos to the domain and back."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kernel.vouchers.redis_holds import Grant
from meshkit.money import from_minor, to_minor
from meshkit.rpc.edge import caller
from meshkit.rpc.fields import Fields
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from promo_svc.free_holds import Holds, free_holds
from promo_svc.list_vouchers import ListVouchers, Usable
from promo_svc.metrics import QUOTES
from promo_svc.pricing import Fixed, Refused, Spend
from promo_svc.quote_promotion import QuotePromotion, Wish

MAX_QUANTITY = 1_000_000
MAX_UNIT_PRICE_MINOR = 10**12  # times MAX_QUANTITY still fits the int64 of google.type.Money
MOST_FREED = 100  # their scripts together take about a millisecond of Redis


class PromotionServicer(rpc.PromotionServiceServicer):
    def __init__(self, quote_promotion: QuotePromotion, list_vouchers: ListVouchers, holds: Holds) -> None:
        self._quote_promotion, self._list_vouchers, self._holds = quote_promotion, list_vouchers, holds

    # No metadata is sent ahead of the answer: Envoy's breaker counts only failures that come as Trailers-Only.
    async def QuotePromotion(self, request: pb.QuotePromotionRequest, _context: Any) -> pb.QuotePromotionResponse:
        currency = request.unit_price.currency_code
        quoted = await self._quote_promotion(_wish(request))
        if isinstance(quoted, Refused):
            QUOTES.labels("refused").inc()
            return pb.QuotePromotionResponse(
                state=pb.PROMOTION_STATE_REFUSED, discount=from_minor(0, currency), reason=quoted.reason
            )
        QUOTES.labels("applied").inc()
        return pb.QuotePromotionResponse(
            state=pb.PROMOTION_STATE_APPLIED,
            discount=from_minor(quoted.granted.minor, currency),
            order_id=quoted.order_id,
            take=quoted.take,
            stacked=quoted.granted.stacked,
        )

    async def FreeHolds(self, request: pb.FreeHoldsRequest, _context: Any) -> pb.FreeHoldsResponse:
        unused = _checked_holds(request)
        return pb.FreeHoldsResponse(freed=await free_holds(self._holds, unused))

    async def ListVouchers(self, request: pb.ListVouchersRequest, _context: Any) -> pb.ListVouchersResponse:
        page = await self._list_vouchers(caller().user_id, request.page_size, request.page_token)
        return pb.ListVouchersResponse(
            vouchers=[_voucher(each) for each in page.vouchers], next_page_token=page.next_token
        )


def _wish(request: pb.QuotePromotionRequest) -> Wish:
    unit_price_minor = _checked_unit_price(request)
    currency = request.unit_price.currency_code
    # One name, of letters that a record in Redis does not use to part its fields.
    named = f"{request.user_id}:{request.request_id.lower()}:{request.request_hash}" if request.request_id else ""
    spend = Spend(unit_price_minor * request.quantity, currency, request.sku, request.sale_id)
    return Wish(request.voucher_code, request.user_id, spend, request.order_id.lower(), named)


def _checked_unit_price(request: pb.QuotePromotionRequest) -> int:
    """The unit price in minor units. Raises InvalidFields with every field that is wrong."""
    fields = Fields()
    fields.ident("voucher_code", request.voucher_code)
    fields.ident("user_id", request.user_id)
    fields.ident("sku", request.sku)
    fields.between("quantity", request.quantity, 1, MAX_QUANTITY)
    minor = 0
    try:
        minor = to_minor(request.unit_price)
        fields.between("unit_price", minor, 0, MAX_UNIT_PRICE_MINOR)
    except ValueError as error:
        fields.require(False, "unit_price", str(error))
    for name in ("order_id", "request_id"):
        if getattr(request, name):
            fields.uuid(name, getattr(request, name))
    for name in ("sale_id", "request_hash"):
        if getattr(request, name):
            fields.ident(name, getattr(request, name))
    fields.check()
    return minor


def _checked_holds(request: pb.FreeHoldsRequest) -> list[tuple[str, Grant]]:
    """Raises InvalidFields for the first hold that is wrong: a hundred would not fit a trailer's 16 KiB."""
    fields = Fields()
    fields.require(1 <= len(request.holds) <= MOST_FREED, "holds", f"must be 1 to {MOST_FREED}")
    fields.check()
    for number, hold in enumerate(request.holds):
        fields.ident(f"holds[{number}].voucher_code", hold.voucher_code)
        fields.uuid(f"holds[{number}].order_id", hold.order_id)
        fields.between(f"holds[{number}].take", hold.take, 1, 2**31 - 1)
        fields.check()
    return [(hold.voucher_code, Grant(hold.order_id.lower(), n=hold.take)) for hold in request.holds]


def _voucher(usable: Usable) -> pb.Voucher:
    voucher, terms = usable.voucher, usable.voucher.terms
    until = Timestamp()
    until.FromDatetime(terms.valid_until)
    told = pb.Voucher(
        code=voucher.code,
        expire_time=until,
        skus=sorted(terms.skus),
        sale_ids=sorted(terms.sale_ids),
        remaining_uses=usable.remaining,
        stacks_with=[each.name for each in voucher.stacks_with],
    )
    # A currency is there wherever one of these amounts is: the voucher file is refused otherwise.
    if isinstance(voucher.benefit, Fixed):
        told.fixed.CopyFrom(from_minor(voucher.benefit.minor, terms.currency or ""))
    else:
        told.percent_basis_points = voucher.benefit.basis_points
    if terms.min_spend_minor:
        told.min_spend.CopyFrom(from_minor(terms.min_spend_minor, terms.currency or ""))
    return told
