"""Pause a sale, and resume it: SQL first, then Redis. A pause lets orders already accepted go on, and answers their
retries; after it the sale's hours hold as before."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Move:
    """`through`: the state in which Redis is still to follow."""

    sale: SaleState
    through: SaleState
    offers: OfferState
    offers_to: OfferState
    crash_point: str


PAUSE = Move(SaleState.OPEN, SaleState.PAUSING, OfferState.OPEN, OfferState.PAUSED, "after_pause_row")
RESUME = Move(SaleState.PAUSED, SaleState.RESUMING, OfferState.PAUSED, OfferState.OPEN, "after_resume_row")


class PauseOrResume:
    def __init__(self, move: Move, engine: AsyncEngine, lock: ChangeLock, settle: SettleSale, stock: SaleStock) -> None:
        self._move, self._engine, self._lock, self._settle, self._stock = move, engine, lock, settle, stock

    async def __call__(self, call: OpsCall, sale_id: str) -> SaleView:
        """The sale as it is now. Raises SaleNotFound, IllegalState, RequestIdReused, DependencyUnavailable (repeat)."""
        move = self._move
        async with self._lock.held():
            before = (await self._settle(sale_id)).sale.state

            async def work(connection: AsyncConnection) -> bytes:
                if before is SaleState.CLOSED:
                    raise IllegalState("the sale is closed", metadata={"sale_id": sale_id})
                if await move_sale(connection, sale_id, [move.sale], move.through):
                    await move_offers(connection, sale_id, move.offers, move.offers_to)
                return b""

            await once(self._engine, call, work)
            crash_point(move.crash_point)
            settled = await self._settle(sale_id)
        return await self._stock.view(settled.sale)
