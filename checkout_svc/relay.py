"""The relay: publishes what the outbox still holds after two seconds, and cancels what nobody asks about.

One relay a slot, by lease. It deletes an entry only after Kafka's ack, by an epoch-checked script.
"""

import asyncio
from uuid import uuid4

from checkout_svc.intake import Intake, cancelled_event
from checkout_svc.metrics import OUTBOX_OLDEST, RELAYED
from checkout_svc.offer_registry import OfferRegistry
from kernel.offers import Offer
from kernel.stock.port import Mark, OutboxEntry, StockPort
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger

log = get_logger(__name__)
EVERY_SECONDS = 0.5
LEASE_MS = 5_000
# Bounds what a relay adds to a Kafka that has just come back.
BATCH = 200
ACK_SECONDS = 5.0
WHY = "the buyer never learned of it and did not ask for 30 s"


class Relay:
    def __init__(
        self, offers: OfferRegistry, stock: StockPort, intake: Intake, older_than_ms: int, consent_ms: int
    ) -> None:
        self._offers, self._stock, self._intake = offers, stock, intake
        self._older_than_ms, self._consent_ms = older_than_ms, consent_ms
        self._holder = str(uuid4())

    async def run(self) -> None:
        while True:
            try:
                for offer in self._offers.known():
                    for bucket in range(offer.buckets):
                        await self.relay(offer, bucket)
            except DependencyUnavailable as error:
                log.warning("relay waits", error=error.message)
            await asyncio.sleep(EVERY_SECONDS)

    async def relay(self, offer: Offer, bucket: int) -> int:
        """One pass over one slot's forgotten entries; the number that Kafka has now."""
        entries = await self._stock.outbox_entries(offer.offer_no, bucket, self._older_than_ms, BATCH)
        OUTBOX_OLDEST.set(max((entry.age_ms for entry in entries), default=0) / 1000)
        if not entries or not await self._stock.lease(f"relay:{offer.offer_no}:{bucket}", self._holder, LEASE_MS):
            return 0
        acked = await asyncio.gather(*[self._forward(offer, entry) for entry in entries])
        done = [entry.entry_id for entry, ack in zip(entries, acked, strict=True) if ack]
        if done:
            await self._stock.outbox_delete(offer.offer_no, bucket, offer.epoch, done)
        return len(done)

    async def _forward(self, offer: Offer, entry: OutboxEntry) -> bool:
        if entry.mark is not Mark.NONE and await self._stock.start_cancel(
            offer.epoch, entry.order_id, self._consent_ms
        ):
            RELAYED.labels("cancelled").inc()
            event = cancelled_event(entry.event, WHY)
            return await self._intake.cancelled(entry.order_id, event, ACK_SECONDS)
        RELAYED.labels("accepted").inc()
        return await self._intake.accepted(entry.order_id, entry.event, ACK_SECONDS)
