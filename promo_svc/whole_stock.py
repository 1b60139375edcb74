"""Whether Redis lost stock that is not rebuilt yet: till then orders with discounts may be in Kafka and in no row."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.schema import offer, sale, stock_rebuild
from kernel.stock.results import Counters
from meshkit.db.errors import database_answers


class Stock(Protocol):
    async def counters_of(self, slots: Sequence[tuple[int, int]]) -> list[Counters | None]: ...


class WholeStock:
    def __init__(self, engine: AsyncEngine, stock: Stock) -> None:
        self._engine, self._stock = engine, stock

    async def __call__(self) -> bool:
        """Raises DependencyUnavailable. A sale that is OPENING has sold nothing. One that is CLOSED counts: it sells no
        more, but what it sold may be in Kafka still, and a lost sale whose hours are over is closed by itself."""
        on_sale = select(offer.c.offer_no, offer.c.buckets, offer.c.epoch)
        on_sale = on_sale.join(sale, sale.c.sale_id == offer.c.sale_id)
        under_way = select(stock_rebuild.c.epoch).where(stock_rebuild.c.state != "DONE").limit(1)
        with database_answers():
            async with self._engine.connect() as connection:
                if await connection.scalar(under_way) is not None:
                    return False
                rows = (await connection.execute(on_sale.where(sale.c.state != "OPENING"))).all()
        slots = [((row.offer_no, bucket), row.epoch) for row in rows for bucket in range(row.buckets)]
        counted = await self._stock.counters_of([slot for slot, _ in slots])
        pairs = zip(counted, slots, strict=True)
        return all(found is not None and found.epoch == epoch for found, (_, epoch) in pairs)
