"""Finish, at start and every few seconds, what a crash left half done of a sale."""

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from governor.change_lock import ChangeLock
from governor.metrics import HEALED
from governor.sales_table import unsettled_sales
from governor.settle_sale import SettleSale
from meshkit.errors import PeakmeshError
from meshkit.log import get_logger
from meshkit.patience import every

log = get_logger(__name__)


class HealSales:
    def __init__(self, engine: AsyncEngine, lock: ChangeLock, settle: SettleSale) -> None:
        self._engine, self._lock, self._settle = engine, lock, settle

    async def run(self, seconds: float) -> None:
        """Until cancelled, `seconds` apart; servers that are away are waited for."""
        await every(seconds, "sales", self.sweep, PeakmeshError, SQLAlchemyError, OSError)

    async def sweep(self) -> None:
        async with self._engine.connect() as connection:
            sale_ids = await unsettled_sales(connection)
        for sale_id in sale_ids:
            async with self._lock.held():
                await self._heal(sale_id)

    async def _heal(self, sale_id: str) -> None:
        """One sale that cannot be settled does not keep the others from it."""
        try:
            settled = await self._settle(sale_id)
        except PeakmeshError as error:
            log.warning("sale not settled", sale_id=sale_id, reason=error.message)
            return
        for kind in settled.did:
            HEALED.labels(kind).inc()
            log.info("sale healed", sale_id=sale_id, kind=kind)
