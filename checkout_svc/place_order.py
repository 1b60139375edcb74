"""Reserve → publish → answer. QUEUED is said only after Kafka's ack; everything else that holds stock is PENDING."""

import time

from checkout_svc.intake import Intake, accepted_event
from checkout_svc.offer_registry import OfferRegistry
from checkout_svc.outbox_cleaner import OutboxCleaner
from checkout_svc.promotions import Promotions, check_required
from checkout_svc.purchase import NO_QUOTE, Answer, PromotionState, Purchase, Quote
from checkout_svc.refusals import price_changed, refusal
from checkout_svc.replay import Replay
from checkout_svc.reserve_window import ReserveWindow
from checkout_svc.unused_holds import UnusedHolds
from kernel.offers import Offer
from kernel.order_ids import bucket_for, new_order_id, offer_of
from kernel.stock.port import StockPort
from kernel.stock.results import Mark, ReserveKind, ReserveRequest, ReserveResult
from meshkit.crash import crash_point
from meshkit.errors import DependencyUnavailable, PeakmeshError
from meshkit.log import get_logger
from meshkit.rpc import deadline

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
        unused: UnusedHolds,
        budget_seconds: float,
        deadline_seconds: float,
    ) -> None:
        self._offers, self._stock, self._window = offers, stock, window
        self._intake, self._cleaner, self._promotions, self._unused = intake, cleaner, promotions, unused
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
        quote = await self._promotions.quote(purchase, offer) if purchase.voucher_code else NO_QUOTE
        offer, quote, request, result = await self._reserve(purchase, offer, quote)
        crash_point("after_reserve")
        if result.kind is not ReserveKind.RESERVED:
            return await self._again(offer, result, answer_by)
        queued = await self._publish(request, offer, result, answer_by)
        return Answer(request.order_id, queued, result.deadline_ms, quote.promotion, offer.currency)

    async def _first_answer(self, purchase: Purchase, offer: Offer) -> ReserveResult | None:
        bucket = bucket_for(purchase.user_id, offer.buckets)
        request = self._request(purchase, offer, bucket, NO_QUOTE)
        return await self._stock.first_answer(offer.offer_no, bucket, offer.epoch, request)

    async def _again(self, offer: Offer, result: ReserveResult, answer_by: float) -> Answer:
        if result.kind is not ReserveKind.REPLAY:
            raise refusal(result)
        return await self._replay(offer, result, answer_by)

    async def _reserve(
        self, purchase: Purchase, offer: Offer, quote: Quote
    ) -> tuple[Offer, Quote, ReserveRequest, ReserveResult]:
        """A hold that no order came of is given back; where the outcome is unknown its expiry decides."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                deadline.check()
                check_required(purchase, quote.promotion)
                # The event names the offer's price: it must be the one the buyer saw.
                _check_price(purchase, offer)
            except PeakmeshError:
                self._unused.add(purchase.voucher_code, quote)
                raise
            bucket = bucket_for(purchase.user_id, offer.buckets)
            request = self._request(purchase, offer, bucket, quote)
            result = await self._window.reserve(offer.offer_no, bucket, offer.epoch, request)
            mended = result.kind in (ReserveKind.STALE_EPOCH, ReserveKind.DUPLICATE_ID)
            if not mended or attempt == ATTEMPTS:
                break
            if result.kind is ReserveKind.STALE_EPOCH:
                await self._offers.refresh()
                offer = await self._offers.find(purchase.sale_id, purchase.sku)
                if purchase.voucher_code:
                    # A rebuild forgets what was held; a hold that is there yet is found again by its request.
                    quote = await self._promotions.quote(purchase, offer)
            elif purchase.voucher_code:
                # What is held under that id may be the other order's: it is left to its expiry.
                quote = await self._promotions.quote(purchase, offer, anew=True)
        if _is_unused(quote, result):
            self._unused.add(purchase.voucher_code, quote)
        return offer, quote, request, result

    def _request(self, purchase: Purchase, offer: Offer, bucket: int, quote: Quote) -> ReserveRequest:
        order_id = quote.order_id or new_order_id(offer.offer_no, bucket)
        return ReserveRequest(
            order_id=order_id,
            user_id=purchase.user_id,
            request_id=purchase.request_id,
            request_hash=purchase.request_hash,
            quantity=purchase.quantity,
            price_version=purchase.price_version,
            event=accepted_event(order_id, purchase, offer, quote.promotion, self._deadline_ms),
            deadline_after_ms=self._deadline_ms,
            answer=quote.promotion.text(),
        )

    async def _publish(self, request: ReserveRequest, offer: Offer, result: ReserveResult, answer_by: float) -> bool:
        """True: acknowledged in time. False: marked PENDING before anybody is told so."""
        order_id = request.order_id
        if await self._intake.accepted(order_id, request.event, answer_by, result.deadline_ms):
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


def _is_unused(quote: Quote, result: ReserveResult) -> bool:
    """Whether the hold has no order: none was reserved, an earlier one is, or it was sold at list price."""
    if result.kind is ReserveKind.REPLAY:
        return result.order_id != quote.order_id
    return result.kind is not ReserveKind.RESERVED or quote.promotion.state is not PromotionState.APPLIED


def _check_price(purchase: Purchase, offer: Offer) -> None:
    if purchase.price_version != offer.price_version:
        raise price_changed(offer.price_version)
