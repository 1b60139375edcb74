"""One offer of a rebuild: its stock loaded from the rows, the new epoch begun, what moved meanwhile put right."""

from collections import defaultdict
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.rebuild_table import read_offers, start_epoch
from governor.restored_orders import read_buckets, read_states
from governor.sale import OfferRow, SaleState
from governor.sale_stock import SaleStock
from governor.sales_table import read_sale
from kernel.stock.port import StockPort
from kernel.stock.results import OfferState, ReservationState
from meshkit.clock import wall_ms
from meshkit.crash import crash_point
from meshkit.db.engine import run_transaction
from meshkit.db.errors import database_answers

# A pause that is being ended is ended by SettleSale, as after any crash.
_OPEN_AS = {
    SaleState.OPEN: OfferState.OPEN,
    SaleState.PAUSING: OfferState.PAUSED,
    SaleState.PAUSED: OfferState.PAUSED,
    SaleState.RESUMING: OfferState.PAUSED,
}


class LoadOffer:
    """To be called under the ChangeLock, once everything up to the markers is a row. Repeatable until it was opened."""

    def __init__(self, engine: AsyncEngine, stock: StockPort, sales: SaleStock) -> None:
        self._engine, self._stock, self._sales = engine, stock, sales

    async def __call__(self, number: int, epoch: int) -> None:
        """Raises IllegalState, DependencyUnavailable: the offer then sells nothing."""
        with database_answers():
            buckets = await read_buckets(self._engine, number, epoch)
        for bucket in buckets:
            await self._stock.restore(bucket, wall_ms())
        crash_point("after_rebuild_restored")
        row = await run_transaction(self._engine, partial(_start, number, epoch))
        crash_point("after_rebuild_epoch")
        loaded = {order.order_id: order.state for bucket in buckets for order in bucket.orders}
        await self._follow(row, epoch, loaded)

    async def _follow(self, row: OfferRow, epoch: int, loaded: dict[str, ReservationState]) -> None:
        """A row that moved after it was read and before the epoch began moved Redis under the older one, in vain."""
        states = await run_transaction(self._engine, partial(read_states, row=row))
        behind: defaultdict[ReservationState, list[str]] = defaultdict(list)
        for order_id, state in states.items():
            if state is not loaded.get(order_id, state):
                behind[state].append(order_id)
        await self._stock.confirm(epoch, behind[ReservationState.SOLD])
        await self._stock.release(epoch, behind[ReservationState.RELEASED])
        await self._stock.give_back(epoch, behind[ReservationState.RELEASED])

    async def open(self, number: int, epoch: int) -> bool:
        """The registry first, and the state last. False: Redis was lost once more."""
        with database_answers():
            async with self._engine.connect() as connection:
                [row] = await read_offers(connection, [number])
                sale = await read_sale(connection, row.offer.sale_id)
        await self._sales.publish(sale)
        state, buckets = _OPEN_AS.get(sale.state, OfferState.CLOSED), range(row.offer.buckets)
        only_from = OfferState.REBUILDING
        return all([await self._stock.set_state(number, bucket, epoch, state, only_from) for bucket in buckets])


async def _start(number: int, epoch: int, connection: AsyncConnection) -> OfferRow:
    [row] = await read_offers(connection, [number])
    await start_epoch(connection, row, epoch)
    return row
