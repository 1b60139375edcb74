"""Close a sale: SQL first, then Redis. Orders already accepted go on."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.change_lock import ChangeLock
from governor.ops_journal import once
from governor.sale import SaleState, SaleView
from governor.sale_stock import SaleStock
from governor.sales_table import close_offers, move_sale, read_sale
from governor.settle_sale import SettleSale
from kernel.ops_journal import OpsCall
from meshkit.crash import crash_point


class CloseSale:
    def __init__(self, engine: AsyncEngine, lock: ChangeLock, settle: SettleSale, stock: SaleStock) -> None:
        self._engine, self._lock, self._settle, self._stock = engine, lock, settle, stock

    async def __call__(self, call: OpsCall, sale_id: str) -> SaleView:
        """The sale as it is now. Raises SaleNotFound, RequestIdReused, DependencyUnavailable (repeat)."""

        async def work(connection: AsyncConnection) -> bytes:
            await read_sale(connection, sale_id)
            # A sale that is CLOSED already stays so.
            standing = [state for state in SaleState if state not in (SaleState.CLOSING, SaleState.CLOSED)]
            await move_sale(connection, sale_id, standing, SaleState.CLOSING)
            await close_offers(connection, sale_id)
            return b""

        async with self._lock.held():
            await once(self._engine, call, work)
            crash_point("after_close_row")
            settled = await self._settle(sale_id)
        return await self._stock.view(settled.sale)
