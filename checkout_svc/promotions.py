"""The voucher's discount, within a budget; list price when promotions do not answer, and at once while they cannot
or must not be asked."""

import asyncio
from contextvars import Context
from typing import Any

import grpc

from checkout_svc.metrics import PROMOTIONS
from checkout_svc.purchase import SWITCHED_OFF, UNAVAILABLE, Promotion, PromotionState, Purchase, Quote, refused
from checkout_svc.unused_holds import UnusedHolds
from kernel.features import PROMOTIONS as FEATURE
from kernel.features import RETRY_AFTER_SECONDS
from kernel.offers import Offer
from kernel.order_ids import bucket_for, new_order_id, offer_of
from meshkit.breaker import Breaker, Permit
from meshkit.breaker_policy import Policy, State
from meshkit.errors import PeakmeshError, PromotionRefused, PromotionUnavailable
from meshkit.flags import Flags
from meshkit.money import from_minor, to_minor
from meshkit.rpc import deadline
from meshkit.rpc.client import call
from meshkit.rpc.onward import SHAVED_SECONDS, onward
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc

# Of the budget: slower answers are of no use to the buyer who waits, whatever they say.
SLOW_SHARE = 0.7
# Nothing was asked, so nothing is held.
_NOT_ASKED, _SWITCHED_OFF = Quote(UNAVAILABLE), Quote(SWITCHED_OFF)


def promotions_breaker(budget_seconds: float, at_once: int) -> Breaker:
    """One for all that a process asks of promotions."""
    return Breaker("promotions", Policy(slow_seconds=SLOW_SHARE * budget_seconds, at_once=at_once))


class Promotions:
    """Asks promo_svc through Envoy's egress, behind a breaker. While that is not closed nobody waits: the answer is the
    list price, and the breaker's probes are made beside it. The feature `promotions` holds the breaker open while it is
    off: then there are no probes, and unused holds wait too."""

    def __init__(
        self, egress: grpc.aio.Channel, budget_seconds: float, breaker: Breaker, unused: UnusedHolds, flags: Flags
    ) -> None:
        self._stub: Any = rpc.PromotionServiceStub(egress)
        self._budget, self._breaker, self._unused, self._flags = budget_seconds, breaker, unused, flags
        self._probes: set[asyncio.Task[None]] = set()
        flags.follow(FEATURE, self._switch)

    def _switch(self, on: bool) -> None:
        if not on:
            self._breaker.force(State.OPEN)
        elif self._breaker.forced:
            self._breaker.force(None)

    async def quote(self, purchase: Purchase, offer: Offer, *, anew: bool = False) -> Quote:
        """For an order_id of its own, or, unless `anew`, the one that this request's hold is under already.

        Does not suspend while the breaker is not closed. A buyer who does not wait as long as a quote may take gets
        none: what their own deadline cuts off would count against promotions.
        """
        in_time = deadline.left() >= self._budget + SHAVED_SECONDS
        permit = self._breaker.permit() if in_time else None
        if permit is None:
            quote = _NOT_ASKED if self._flags.is_on(FEATURE) else _SWITCHED_OFF
        elif permit.probe:
            quote = _NOT_ASKED
            self._probe(permit, purchase, offer)
        else:
            quote = await self._ask(permit, purchase, offer, "" if anew else purchase.request_id)
        PROMOTIONS.labels(quote.promotion.state.name.lower()).inc()
        return quote

    def _probe(self, permit: Permit, purchase: Purchase, offer: Offer) -> None:
        """The quote for the breaker's sake alone: under an order_id nobody gets, and what it holds goes back."""

        async def ask() -> None:
            self._unused.add(purchase.voucher_code, await self._ask(permit, purchase, offer, ""))

        # In a context of its own: it is not the buyer's, whose deadline would end it.
        task = asyncio.create_task(ask(), context=Context())
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _ask(self, permit: Permit, purchase: Purchase, offer: Offer, request_id: str) -> Quote:
        order_id = new_order_id(offer.offer_no, _bucket(purchase, offer))
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
            with permit:
                answer = await call(
                    self._stub.QuotePromotion, request, timeout=self._budget, dependency="promo_svc", metadata=onward()
                )
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
        if promotion == SWITCHED_OFF:
            words, told = "promotions are switched off for now", {"feature": FEATURE}
            raise PromotionUnavailable(words, metadata=told, retry_after=RETRY_AFTER_SECONDS)
        raise PromotionUnavailable("promotions do not answer", retry_after=1.0)


def _bucket(purchase: Purchase, offer: Offer) -> int:
    return bucket_for(purchase.user_id, offer.buckets)
