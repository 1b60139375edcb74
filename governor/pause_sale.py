"""Pause a sale: SQL first, then Redis. Orders already accepted go on, and retries of them are answered."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.change_lock import ChangeLock
from governor.ops_journal import once
from governor.sale import SaleState, SaleView
from governor.sale_stock import SaleStock
from governor.sales_table import move_offers, move_sale
from governor.settle_sale import SettleSale
from kernel.ops_journal import OpsCall
from kernel.stock.results import OfferState
from meshkit.crash import crash_point
from meshkit.errors import IllegalState


class PauseSale:
    def __init__(self, engine: AsyncEngine, lock: ChangeLock, settle: SettleSale, stock: SaleStock) -> None:
        self._engine, self._lock, self._settle, self._stock = engine, lock, settle, stock

    async def __call__(self, call: OpsCall, sale_id: str) -> SaleView:
        """The sale as it is now. Raises SaleNotFound, IllegalState, RequestIdReused, DependencyUnavailable (repeat)."""
        async with self._lock.held():
            before = (await self._settle(sale_id)).sale.state

            async def work(connection: AsyncConnection) -> bytes:
                if before is SaleState.CLOSED:
                    raise IllegalState("the sale is closed", metadata={"sale_id": sale_id})
                if await move_sale(connection, sale_id, [SaleState.OPEN], SaleState.PAUSING):
                    await move_offers(connection, sale_id, OfferState.OPEN, OfferState.PAUSED)
                return b""

            await once(self._engine, call, work)
            crash_point("after_pause_row")
            settled = await self._settle(sale_id)
        return await self._stock.view(settled.sale)
