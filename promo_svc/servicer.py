"""PromotionService: protos to the domain and back."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from meshkit.money import from_minor, to_minor
from meshkit.rpc.fields import Fields
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from promo_svc.metrics import QUOTES
from promo_svc.pricing import Granted, Voucher
from promo_svc.quote_promotion import quote_promotion

MAX_QUANTITY = 1_000_000
MAX_UNIT_PRICE_MINOR = 10**12  # times MAX_QUANTITY still fits the int64 of google.type.Money


class PromotionServicer(rpc.PromotionServiceServicer):
    """`clock` gives aware times."""

    def __init__(self, vouchers: Mapping[str, Voucher], clock: Callable[[], datetime]) -> None:
        self._vouchers = vouchers
        self._clock = clock

    # No await in here, and no metadata sent ahead of the answer: Envoy's breaker counts only Trailers-Only failures.
    async def QuotePromotion(self, request: pb.QuotePromotionRequest, _context: Any) -> pb.QuotePromotionResponse:
        currency = request.unit_price.currency_code
        spend_minor = _checked_unit_price(request) * request.quantity
        quoted = quote_promotion(self._vouchers, request.voucher_code, spend_minor, currency, self._clock())
        if isinstance(quoted, Granted):
            QUOTES.labels("applied").inc()
            return pb.QuotePromotionResponse(
                state=pb.PROMOTION_STATE_APPLIED, discount=from_minor(quoted.minor, currency)
            )
        QUOTES.labels("refused").inc()
        return pb.QuotePromotionResponse(
            state=pb.PROMOTION_STATE_REFUSED, discount=from_minor(0, currency), reason=quoted.reason
        )


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
    fields.check()
    return minor
