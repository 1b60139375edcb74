"""Bring Redis to what SQL decided: after a change, and after a crash in the middle of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from governor.sale import Sale, SaleState
from governor.sale_stock import SaleStock
from governor.sales_table import move_sale, read_sale
from meshkit.clock import wall_ms
from meshkit.crash import crash_point
from meshkit.db.engine import run_transaction
from meshkit.db.errors import database_answers

# A scheduled sale ends in Redis, by Redis' clock. SQL notes it a minute later, so that a governor whose clock is ahead
# does not cut the sale short.
ENDED_AFTER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Settled:
    """The sale as it is now, and what was still to be done for it: opened, paused, resumed, closed, published, units,
    ended (its hours are over)."""

    sale: Sale
    did: Sequence[str]


class SettleSale:
    """To be called under the ChangeLock; repeatable at any point. Counters are made for an OPENING sale alone: the
    registry does not have it yet, so nobody can have bought of it. Counters that exist are never replaced, and
    counters that were lost are left to the rebuild."""

    def __init__(self, engine: AsyncEngine, stock: SaleStock, now_ms: Callable[[], int] = wall_ms) -> None:
        self._engine, self._stock, self._now_ms = engine, stock, now_ms

    async def __call__(self, sale_id: str) -> Settled:
        """Raises SaleNotFound, DependencyUnavailable, IllegalState."""
        sale, did = await self.read(sale_id), list[str]()
        if sale.state is SaleState.OPENING:
            await self._stock.open(sale)
            crash_point("after_sale_counters")
            sale = await self._move(sale, SaleState.OPEN)
            did.append("opened")
        if sale.state is SaleState.PAUSING:
            await self._stock.pause(sale)
            sale = await self._move(sale, SaleState.PAUSED)
            did.append("paused")
        if sale.state is SaleState.RESUMING:
            await self._stock.resume(sale)
            sale = await self._move(sale, SaleState.OPEN)
            did.append("resumed")
        if sale.state in (SaleState.OPEN, SaleState.PAUSED):
            did += await self._align(sale)
            if sale.is_over(self._now_ms() - ENDED_AFTER_MS):
                sale = await self._move(sale, SaleState.CLOSING)
                did.append("ended")
        if sale.state is SaleState.CLOSING:
            await self._stock.close(sale)
            sale = await self._move(sale, SaleState.CLOSED)
            did.append("closed")
        return Settled(sale, did)

    async def read(self, sale_id: str) -> Sale:
        with database_answers():
            async with self._engine.connect() as connection:
                return await read_sale(connection, sale_id)

    async def _align(self, sale: Sale) -> list[str]:
        """Units follow SQL: both orders of SetStock's writes leave Redis the lower one when they are cut in two."""
        did = ["published"] if await self._stock.publish(sale) else []
        for row in sale.offers:
            if await self._stock.units_on_sale(row) not in (None, row.initial):
                await self._stock.set_units(row, row.initial)
                did.append("units")
        return did

    async def _move(self, sale: Sale, new: SaleState) -> Sale:
        await run_transaction(self._engine, lambda connection: move_sale(connection, sale.sale_id, [sale.state], new))
        return await self.read(sale.sale_id)
