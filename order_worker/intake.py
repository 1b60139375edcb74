"""A batch of orders.intake: rows, then reservations, then OrderCreated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_states import OrderState
from kernel.stock.port import StockPort
from meshkit.clock import wall_ms
from meshkit.crash import crash_point
from meshkit.kafka.consumer import Record
from meshkit.kafka.publisher import Publisher
from meshkit.log import get_logger
from meshkit.patience import Wait
from order_worker import metrics
from order_worker.apply_standings import apply_standings
from order_worker.around_poison import write_around_poison
from order_worker.close_offer import close_offer
from order_worker.data_faults import is_data_error
from order_worker.dead_letters import DeadLetters
from order_worker.decode import Unreadable, decode_intake
from order_worker.follow_ups import publish_created
from order_worker.outages import patiently
from order_worker.plan_batch import FencePassed, Intake
from order_worker.standing import Standing
from order_worker.write_orders import write_failed, write_orders

log = get_logger(__name__)
Item = tuple[Record, Intake]


@dataclass(frozen=True)
class IntakeBatch:
    """Handles batches; every step may be done again, and is, after a crash before the commit of the offsets."""

    engine: AsyncEngine
    stock: StockPort
    publisher: Publisher
    dead_letters: DeadLetters
    now_ms: Callable[[], int] = wall_ms

    async def __call__(self, records: Sequence[Record], wait: Wait) -> None:
        items, fences = await self._decode(records)
        await self._note(fences, wait)
        standings = await write_around_poison(items, partial(self._write, wait), partial(self._bury, wait))
        crash_point("after_db_commit")
        epochs = {item.order.order_id: (item.order.offer_no, item.order.epoch) for _, item in items}
        await patiently("redis", partial(self._settle, standings, epochs), wait)
        open_ids = {each.order_id for each in standings if each.state is OrderState.CREATED}
        created = {item.order.order_id: (item.order, record.headers) for record, item in items}
        orders = [created[order_id] for order_id in sorted(open_ids)]
        await patiently("kafka", partial(publish_created, self.publisher, orders, "written"), wait)
        crash_point("after_follow_ups")

    async def _decode(self, records: Sequence[Record]) -> tuple[list[Item], list[FencePassed]]:
        items: list[Item] = []
        fences: list[FencePassed] = []
        for record in records:
            try:
                said = decode_intake(record)
            except Unreadable as error:
                await self.dead_letters.put(record, str(error))
                continue
            if isinstance(said, FencePassed):
                fences.append(said)
            else:
                items.append((record, said))
        return items, fences

    async def _note(self, fences: Sequence[FencePassed], wait: Wait) -> None:
        """Before any half of a bisected batch is written without them."""
        if fences:
            await patiently("database", partial(write_orders, self.engine, [], fences, self.now_ms()), wait)

    async def _write(self, wait: Wait, items: Sequence[Item]) -> list[Standing]:
        if not items:
            return []
        batch = [item for _, item in items]
        with metrics.BATCH_SECONDS.labels("intake").time():
            return await patiently("database", lambda: write_orders(self.engine, batch, [], self.now_ms()), wait)

    async def _bury(self, wait: Wait, item: Item, error: Exception) -> list[Standing]:
        """The dead letter first: a FAILED_DLQ row without one would hide the order."""
        record, intake = item
        await self.dead_letters.put(record, repr(error))
        reason = f"could not be written: {error}"
        try:
            failed = partial(write_failed, self.engine, intake.order, reason, self.now_ms())
            return [await patiently("database", failed, wait)]
        except SQLAlchemyError as second:
            if not is_data_error(second):
                raise
            # No row can hold it: an order without a row is never released, so its units wait for an operator.
            log.exception("no FAILED_DLQ row either", order_id=record.key)
            return []

    async def _settle(self, standings: Sequence[Standing], offers: dict[str, tuple[int, int]]) -> None:
        await apply_standings(self.stock, standings)
        oversold = {offers[each.order_id] for each in standings if each.state is OrderState.REJECTED_OVERSOLD}
        for offer_no, epoch in sorted(oversold):
            await close_offer(self.engine, self.stock, offer_no, epoch)
