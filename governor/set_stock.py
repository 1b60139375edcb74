"""Set an offer's units: raised in SQL first and then in Redis, lowered in Redis first and then in SQL.

Either way Redis never sells more than SQL allows, at no moment and after no crash.
"""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.change_lock import ChangeLock
from governor.ops_journal import Work, once
from governor.sale import OfferRow, Sale, Units
from governor.sale_stock import SaleStock, below_committed
from governor.sales_table import set_initial
from governor.settle_sale import SettleSale
from kernel.ops_journal import OpsCall
from meshkit.crash import crash_point
from meshkit.errors import OfferNotFound


class SetStock:
    def __init__(self, engine: AsyncEngine, lock: ChangeLock, settle: SettleSale, stock: SaleStock) -> None:
        self._engine, self._lock, self._settle, self._stock = engine, lock, settle, stock

    async def __call__(self, call: OpsCall, sale_id: str, sku: str, units: int) -> tuple[OfferRow, Units]:
        """The offer as it is now, and its units as Redis has them; a repeat sets nothing anew.

        Raises SaleNotFound, OfferNotFound, IllegalState (below reserved + sold, or another epoch), RequestIdReused,
        DependencyUnavailable (repeat).
        """
        async with self._lock.held():
            row = _offer_of((await self._settle(sale_id)).sale, sku)
            await once(self._engine, call, self._change(row, units))
            crash_point("after_stock_row")
            row = _offer_of(await self._settle.read(sale_id), sku)
            await self._stock.set_units(row, row.initial)
            return row, await self._stock.units(row)

    def _change(self, row: OfferRow, units: int) -> Work:
        async def work(connection: AsyncConnection) -> bytes:
            if units < row.initial:
                await self._stock.set_units(row, units)
                crash_point("after_stock_lowered")
            if not await set_initial(connection, row.offer.offer_no, units):
                # SQL counts more than Redis held, so Redis takes its units back.
                await self._stock.set_units(row, row.initial)
                raise below_committed(row.reserved + row.sold)
            return b""

        return work


def _offer_of(sale: Sale, sku: str) -> OfferRow:
    for row in sale.offers:
        if row.offer.sku == sku:
            return row
    raise OfferNotFound("this SKU is not in the sale", metadata={"sale_id": sale.sale_id, "sku": sku})
