"""A batch of payments.results: moves of rows, then reservations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.stock.port import StockPort
from meshkit.clock import wall_ms
from meshkit.kafka.consumer import Record
from meshkit.patience import Wait
from order_worker import metrics
from order_worker.apply_standings import apply_standings
from order_worker.around_poison import write_around_poison
from order_worker.dead_letters import DeadLetters
from order_worker.decode import Unreadable, decode_result
from order_worker.outages import patiently
from order_worker.standing import Standing
from order_worker.write_results import write_results
from peakmesh.event.v1.events_pb2 import PaymentResult

Item = tuple[Record, PaymentResult]


@dataclass(frozen=True)
class ResultsBatch:
    """Handles batches; every step may be done again, and is, after a crash before the commit of the offsets."""

    engine: AsyncEngine
    stock: StockPort
    dead_letters: DeadLetters
    now_ms: Callable[[], int] = wall_ms

    async def __call__(self, records: Sequence[Record], wait: Wait) -> None:
        items: list[Item] = []
        for record in records:
            try:
                items.append((record, decode_result(record)))
            except Unreadable as error:
                await self.dead_letters.put(record, str(error))
        standings = await write_around_poison(items, partial(self._write, wait), self._bury)
        await patiently("redis", partial(apply_standings, self.stock, standings), wait)

    async def _write(self, wait: Wait, items: Sequence[Item]) -> list[Standing]:
        results = [result for _, result in items]
        with metrics.BATCH_SECONDS.labels("results").time():
            return await patiently("database", lambda: write_results(self.engine, results, self.now_ms()), wait)

    async def _bury(self, item: Item, error: Exception) -> list[Standing]:
        await self.dead_letters.put(item[0], repr(error))
        return []
