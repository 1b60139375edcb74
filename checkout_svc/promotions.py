"""The voucher's discount, within a budget; list price when promotions do not answer."""

from typing import Any

import grpc

from checkout_svc.metrics import PROMOTIONS
from checkout_svc.purchase import NO_PROMOTION, UNAVAILABLE, Promotion, PromotionState, Purchase, refused
from kernel.offers import Offer
from meshkit.errors import PeakmeshError, PromotionRefused, PromotionUnavailable
from meshkit.money import from_minor, to_minor
from meshkit.rpc.client import call
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc


class Promotions:
    """Asks promo_svc through Envoy's egress, which answers at once while its breaker is open."""

    def __init__(self, egress: grpc.aio.Channel, budget_seconds: float) -> None:
        self._stub: Any = rpc.PromotionServiceStub(egress)
        self._budget = budget_seconds

    async def quote(self, purchase: Purchase, offer: Offer) -> Promotion:
        """Raises PromotionRefused or PromotionUnavailable, both only where the buyer required the promotion."""
        if not purchase.voucher_code:
            return NO_PROMOTION
        promotion = await self._ask(purchase, offer)
        PROMOTIONS.labels(promotion.state.name.lower()).inc()
        if purchase.require_promotion and promotion.state is PromotionState.REFUSED:
            raise PromotionRefused(promotion.reason)
        if purchase.require_promotion and promotion.state is PromotionState.UNAVAILABLE:
            raise PromotionUnavailable("promotions do not answer", retry_after=1.0)
        return promotion

    async def _ask(self, purchase: Purchase, offer: Offer) -> Promotion:
        request = pb.QuotePromotionRequest(
            voucher_code=purchase.voucher_code,
            user_id=purchase.user_id,
            sku=offer.sku,
            quantity=purchase.quantity,
            unit_price=from_minor(offer.price_minor, offer.currency),
        )
        try:
            answer = await call(self._stub.QuotePromotion, request, timeout=self._budget, dependency="promo_svc")
            if answer.state != pb.PROMOTION_STATE_APPLIED:
                return refused(answer.reason)
            discount = to_minor(answer.discount)
        except (PeakmeshError, ValueError):
            return UNAVAILABLE
        if answer.discount.currency_code != offer.currency:
            return UNAVAILABLE
        # Never trusted blindly: a discount beyond the goods would pay the buyer.
        return Promotion(PromotionState.APPLIED, max(0, min(discount, offer.price_minor * purchase.quantity)))
