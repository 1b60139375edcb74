"""Deletes outbox entries whose ack was seen, in batches behind the answers."""

import asyncio
from collections import defaultdict

from kernel.stock.port import StockPort
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger

log = get_logger(__name__)
EVERY_SECONDS = 0.1
Slot = tuple[int, int, int]


class OutboxCleaner:
    """What it forgets by a crash is published once more by the relay, and dropped on the primary key."""

    def __init__(self, stock: StockPort) -> None:
        self._stock = stock
        self._acked: defaultdict[Slot, list[str]] = defaultdict(list)

    def acked(self, offer_no: int, bucket: int, epoch: int, entry_id: str) -> None:
        self._acked[offer_no, bucket, epoch].append(entry_id)

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                await self.clean()
        finally:
            await self.clean()

    async def clean(self) -> None:
        taken, self._acked = self._acked, defaultdict(list)
        for slot, entries in taken.items():
            try:
                await self._stock.outbox_delete(*slot, entries)
            except DependencyUnavailable as error:
                log.warning("outbox not cleaned", entries=len(entries), error=error.message)
                self._acked[slot].extend(entries)
