"""Reserve → publish → answer. QUEUED is said only after Kafka's ack; everything else that holds stock is PENDING."""

import time

from checkout_svc.intake import Intake, accepted_event
from checkout_svc.offer_registry import OfferRegistry
from checkout_svc.outbox_cleaner import OutboxCleaner
from checkout_svc.promotions import Promotions
from checkout_svc.purchase import NO_PROMOTION, Answer, Promotion, Purchase
from checkout_svc.refusals import price_changed, refusal
from checkout_svc.replay import Replay
from checkout_svc.reserve_window import ReserveWindow
from kernel.offers import Offer
from kernel.order_ids import bucket_for, new_order_id, offer_of
from kernel.stock.port import Mark, ReserveKind, ReserveRequest, ReserveResult, StockPort
from meshkit.crash import crash_point
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger

log = get_logger(__name__)
# A stale epoch and an id that exists already are each mended by one more try; a third would mean something else.
ATTEMPTS = 3


class PlaceOrder:
    """The use case. Its protocol is in the service's README; each † rule of it is a test."""

    def __init__(
        self,
        offers: OfferRegistry,
        stock: StockPort,
        window: ReserveWindow,
        intake: Intake,
        cleaner: OutboxCleaner,
        promotions: Promotions,
        budget_seconds: float,
        deadline_seconds: float,
    ) -> None:
        self._offers, self._stock, self._window = offers, stock, window
        self._intake, self._cleaner, self._promotions = intake, cleaner, promotions
        self._budget, self._deadline_ms = budget_seconds, int(deadline_seconds * 1000)
        self._replay = Replay(stock, intake)

    async def __call__(self, purchase: Purchase) -> Answer:
        """Raises the refusals of the contract; DependencyUnavailable means the outcome is unknown: same request_id."""
        answer_by = time.monotonic() + self._budget
        offer = await self._offers.find(purchase.sale_id, purchase.sku)
        if purchase.voucher_code or purchase.price_version != offer.price_version:
            # Both could refuse an order that was accepted before; other requests learn it by reserving.
            first = await self._first_answer(purchase, offer)
            if first is not None:
                return await self._again(offer, first, answer_by)
            _check_price(purchase, offer)
        promotion = await self._promotions.quote(purchase, offer)
        offer, request, result = await self._reserve(purchase, offer, promotion)
        crash_point("after_reserve")
        if result.kind is not ReserveKind.RESERVED:
            return await self._again(offer, result, answer_by)
        queued = await self._publish(request, offer, result, answer_by)
        return Answer(request.order_id, queued, result.deadline_ms, promotion, offer.currency)

    async def _first_answer(self, purchase: Purchase, offer: Offer) -> ReserveResult | None:
        bucket = bucket_for(purchase.user_id, offer.buckets)
        request = self._request(purchase, offer, bucket, NO_PROMOTION)
        return await self._stock.first_answer(offer.offer_no, bucket, offer.epoch, request)

    async def _again(self, offer: Offer, result: ReserveResult, answer_by: float) -> Answer:
        if result.kind is not ReserveKind.REPLAY:
            raise refusal(result)
        return await self._replay(offer, result, answer_by)

    async def _reserve(
        self, purchase: Purchase, offer: Offer, promotion: Promotion
    ) -> tuple[Offer, ReserveRequest, ReserveResult]:
        for attempt in range(1, ATTEMPTS + 1):
            bucket = bucket_for(purchase.user_id, offer.buckets)
            request = self._request(purchase, offer, bucket, promotion)
            result = await self._window.reserve(offer.offer_no, bucket, offer.epoch, request)
            mended = result.kind in (ReserveKind.STALE_EPOCH, ReserveKind.DUPLICATE_ID)
            if not mended or attempt == ATTEMPTS:
                break
            if result.kind is ReserveKind.STALE_EPOCH:
                await self._offers.refresh()
                offer = await self._offers.find(purchase.sale_id, purchase.sku)
                # The event names the offer's price: it must be the one the buyer saw.
                _check_price(purchase, offer)
        return offer, request, result

    def _request(self, purchase: Purchase, offer: Offer, bucket: int, promotion: Promotion) -> ReserveRequest:
        order_id = new_order_id(offer.offer_no, bucket)
        return ReserveRequest(
            order_id=order_id,
            user_id=purchase.user_id,
            request_id=purchase.request_id,
            request_hash=purchase.request_hash,
            quantity=purchase.quantity,
            price_version=purchase.price_version,
            event=accepted_event(order_id, purchase, offer, promotion, self._deadline_ms),
            deadline_after_ms=self._deadline_ms,
            answer=promotion.text(),
        )

    async def _publish(self, request: ReserveRequest, offer: Offer, result: ReserveResult, answer_by: float) -> bool:
        """True: acknowledged in time. False: marked PENDING before anybody is told so."""
        order_id = request.order_id
        if await self._intake.accepted(order_id, request.event, answer_by):
            crash_point("after_publish")
            self._cleaner.acked(*offer_of(order_id), offer.epoch, result.entry_id)
            return True
        try:
            held = await self._stock.mark_pending(offer.epoch, order_id)
        except DependencyUnavailable:
            # Unmarked means answered: the relay will publish it, and nobody may cancel it. PENDING is still true.
            log.warning("pending order not marked", order_id=order_id)
            return False
        # The entry is gone when somebody else's ack was seen: then it is in the queue, and was not marked.
        return held.found and not held.entry_present and held.mark is not Mark.CANCELLING


def _check_price(purchase: Purchase, offer: Offer) -> None:
    if purchase.price_version != offer.price_version:
        raise price_changed(offer.price_version)
