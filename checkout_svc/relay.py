"""The relay: publishes what the outbox still holds after two seconds, and cancels what nobody asks about.

One relay a slot, by lease: two at once would only publish duplicates. It deletes an entry only after Kafka's ack, by an
epoch-checked script. A closed offer is relayed like an open one.
"""

import asyncio
import time
from uuid import uuid4

from checkout_svc.intake import Intake, cancelled_event
from checkout_svc.metrics import OUTBOX_OLDEST, RELAYED
from checkout_svc.offer_registry import OfferRegistry
from kernel.offers import Offer
from kernel.stock.port import StockPort
from kernel.stock.results import Mark, OutboxEntry
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger
from meshkit.patience import every

log = get_logger(__name__)
EVERY_SECONDS = 0.5
# Longer than one pass can last: its acks and two calls to Redis.
LEASE_MS = 10_000
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
        await every(EVERY_SECONDS, "relay", self.relay_all, DependencyUnavailable)

    async def relay_all(self) -> None:
        """Every slot, each until a pass leaves it with less than a full batch or Kafka does not take all of it."""
        oldest_ms = 0
        for offer in self._offers.known():
            for bucket in range(offer.buckets):
                entries = await self._stock.outbox_entries(offer.offer_no, bucket, self._older_than_ms, BATCH)
                oldest_ms = max(oldest_ms, *(entry.age_ms for entry in entries), 0)
                while entries and await self._relay(offer, bucket, entries) == BATCH:
                    entries = await self._stock.outbox_entries(offer.offer_no, bucket, self._older_than_ms, BATCH)
        OUTBOX_OLDEST.set(oldest_ms / 1000)

    async def _relay(self, offer: Offer, bucket: int, entries: list[OutboxEntry]) -> int:
        """The number that Kafka has now, and the outbox no more."""
        if not await self._stock.lease(f"relay:{offer.offer_no}:{bucket}", self._holder, LEASE_MS):
            return 0
        acked = await asyncio.gather(*[self._forward(offer, entry) for entry in entries])
        done = [entry.entry_id for entry, ack in zip(entries, acked, strict=True) if ack]
        return await self._stock.outbox_delete(offer.offer_no, bucket, offer.epoch, done) if done else 0

    async def _forward(self, offer: Offer, entry: OutboxEntry) -> bool:
        if entry.mark is not Mark.NONE:
            try:
                cancel = await self._stock.start_cancel(offer.epoch, entry.order_id, self._consent_ms)
            except DependencyUnavailable:
                return False
            if cancel:
                RELAYED.labels("cancelled").inc()
                event = cancelled_event(entry.event, WHY)
                return await self._intake.cancelled(entry.order_id, event, time.monotonic() + ACK_SECONDS)
            if entry.mark is Mark.CANCELLING:
                # Refused by a newer epoch, or dealt with already: never back to accepted.
                return False
        RELAYED.labels("accepted").inc()
        return await self._intake.accepted(entry.order_id, entry.event, time.monotonic() + ACK_SECONDS)
