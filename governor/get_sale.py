"""A sale with its units as SQL and Redis have them; the two are read one after the other."""

from governor.sale import SaleView
from governor.sale_stock import SaleStock
from governor.settle_sale import SettleSale


class GetSale:
    def __init__(self, settle: SettleSale, stock: SaleStock) -> None:
        self._settle, self._stock = settle, stock

    async def __call__(self, sale_id: str) -> SaleView:
        """Raises SaleNotFound, DependencyUnavailable."""
        return await self._stock.view(await self._settle.read(sale_id))
