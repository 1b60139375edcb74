"""Reserve → publish → answer. QUEUED is said only after Kafka's ack; everything else that holds stock is PENDING."""

import time
from typing import NoReturn

from checkout_svc.intake import Intake, accepted_event
from checkout_svc.offer_registry import OfferRegistry
from checkout_svc.outbox_cleaner import OutboxCleaner
from checkout_svc.promotions import Promotions
from checkout_svc.purchase import Answer, Promotion, Purchase
from checkout_svc.replay import Replay
from checkout_svc.reserve_window import ReserveWindow
from kernel.offers import Offer
from kernel.order_ids import bucket_for, new_order_id, offer_of
from kernel.stock.port import ReserveKind, ReserveRequest, ReserveResult, StockPort
from meshkit.crash import crash_point
from meshkit.errors import (
    DependencyUnavailable,
    LimitReached,
    PriceChanged,
    RequestIdReused,
    SaleNotOpen,
    SoldOut,
)
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
        if purchase.price_version != offer.price_version:
            raise _price_changed(offer.price_version)
        promotion = await self._promotions.quote(purchase, offer)
        for _ in range(ATTEMPTS):
            order_id, event, result = await self._reserve(purchase, offer, promotion)
            if result.kind is ReserveKind.STALE_EPOCH:
                await self._offers.refresh()
                offer = await self._offers.find(purchase.sale_id, purchase.sku)
            elif result.kind is not ReserveKind.DUPLICATE_ID:
                break
        crash_point("after_reserve")
        if result.kind is ReserveKind.REPLAY:
            return await self._replay(offer, result, promotion, answer_by)
        if result.kind is not ReserveKind.RESERVED:
            _refuse(result)
        queued = await self._publish(order_id, event, offer, result, answer_by)
        return Answer(order_id, queued, result.deadline_ms, promotion, offer.currency)

    async def _reserve(
        self, purchase: Purchase, offer: Offer, promotion: Promotion
    ) -> tuple[str, bytes, ReserveResult]:
        bucket = bucket_for(purchase.user_id, offer.buckets)
        order_id = new_order_id(offer.offer_no, bucket)
        deadline_ms = int(time.time() * 1000) + self._deadline_ms
        event = accepted_event(order_id, purchase, offer, promotion, deadline_ms)
        request = ReserveRequest(
            order_id=order_id,
            user_id=purchase.user_id,
            request_id=purchase.request_id,
            request_hash=purchase.request_hash,
            quantity=purchase.quantity,
            price_version=purchase.price_version,
            event=event,
            deadline_after_ms=self._deadline_ms,
        )
        return order_id, event, await self._window.reserve(offer.offer_no, bucket, offer.epoch, request)

    async def _publish(
        self, order_id: str, event: bytes, offer: Offer, result: ReserveResult, answer_by: float
    ) -> bool:
        """True: acknowledged in time. False: marked PENDING before anybody is told so."""
        if await self._intake.accepted(order_id, event, answer_by - time.monotonic()):
            crash_point("after_publish")
            self._cleaner.acked(*offer_of(order_id), offer.epoch, result.entry_id)
            return True
        try:
            mark = await self._stock.mark_pending(offer.epoch, order_id)
        except DependencyUnavailable:
            # Unmarked means answered: the relay will publish it, and nobody may cancel it. PENDING is still true.
            log.warning("pending order not marked", order_id=order_id)
            return False
        # The entry is gone when the relay saw an ack meanwhile: then it is in the queue, and was not marked.
        return mark.found and not mark.entry_present


def _price_changed(version: int) -> PriceChanged:
    return PriceChanged("the price has changed", metadata={"price_version": str(version)})


def _refuse(result: ReserveResult) -> NoReturn:
    match result.kind:
        case ReserveKind.SOLD_OUT:
            raise SoldOut("sold out", metadata={"available": str(result.available)})
        case ReserveKind.LIMIT:
            raise LimitReached("the limit for one buyer is reached")
        case ReserveKind.NOT_OPEN:
            raise SaleNotOpen("the sale does not take orders now")
        case ReserveKind.PRICE_CHANGED:
            raise _price_changed(result.price_version)
        case ReserveKind.REUSED:
            raise RequestIdReused("this request_id was used with another body")
        case _:
            raise DependencyUnavailable("redis", f"the stock is being rebuilt ({result.kind})")
