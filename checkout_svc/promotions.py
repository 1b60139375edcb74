"""The voucher's discount, within a budget; list price when promotions do not answer."""

from typing import Any

import grpc

from checkout_svc.metrics import PROMOTIONS
from checkout_svc.purchase import UNAVAILABLE, Promotion, PromotionState, Purchase, Quote, refused
from kernel.offers import Offer
from kernel.order_ids import bucket_for, new_order_id, offer_of
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

    async def quote(self, purchase: Purchase, offer: Offer, *, anew: bool = False) -> Quote:
        """For an order_id of its own, or, unless `anew`, the one that this request's hold is under already."""
        order_id = new_order_id(offer.offer_no, _bucket(purchase, offer))
        quote = await self._ask(purchase, offer, order_id, "" if anew else purchase.request_id)
        PROMOTIONS.labels(quote.promotion.state.name.lower()).inc()
        return quote

    async def _ask(self, purchase: Purchase, offer: Offer, order_id: str, request_id: str) -> Quote:
        request = pb.QuotePromotionRequest(
            voucher_code=purchase.voucher_code,
            user_id=purchase.user_id,
            sku=offer.sku,
            quantity=purchase.quantity,
            unit_price=from_minor(offer.price_minor, offer.currency),
            order_id=order_id,
            sale_id=offer.sale_id,
            request_id=request_id,
            request_hash=purchase.request_hash,
        )
        # A hold may have been taken by an answer that was not seen, or that cannot be used: its first take.
        unknown = Quote(UNAVAILABLE, order_id, take=1)
        try:
            answer = await call(self._stub.QuotePromotion, request, timeout=self._budget, dependency="promo_svc")
            if answer.state != pb.PROMOTION_STATE_APPLIED:
                return Quote(refused(answer.reason), order_id)
            discount = to_minor(answer.discount)
            slot = offer_of(answer.order_id or order_id)
        except (PeakmeshError, ValueError):
            return unknown
        if answer.discount.currency_code != offer.currency or slot != (offer.offer_no, _bucket(purchase, offer)):
            return unknown
        # Never trusted blindly: a discount beyond the goods would pay the buyer.
        promotion = Promotion(PromotionState.APPLIED, max(0, min(discount, offer.price_minor * purchase.quantity)))
        return Quote(promotion, answer.order_id or order_id, answer.take)


def check_required(purchase: Purchase, promotion: Promotion) -> None:
    """Raises PromotionRefused or PromotionUnavailable, both only where the buyer required the promotion."""
    if purchase.require_promotion and promotion.state is PromotionState.REFUSED:
        raise PromotionRefused(promotion.reason)
    if purchase.require_promotion and promotion.state is PromotionState.UNAVAILABLE:
        raise PromotionUnavailable("promotions do not answer", retry_after=1.0)


def _bucket(purchase: Purchase, offer: Offer) -> int:
    return bucket_for(purchase.user_id, offer.buckets)
