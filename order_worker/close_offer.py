"""Stops the sale of an offer whose reservations exceeded the units the database has."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.schema import offer
from kernel.stock.port import StockPort
from kernel.stock.results import OfferState
from meshkit.log import get_logger

log = get_logger(__name__)


async def close_offer(engine: AsyncEngine, stock: StockPort, offer_no: int, epoch: int) -> None:
    """Closes every bucket, else the phantom unit, once released, is sold and rejected for ever.

    `epoch` is that of the refused order: a replay after the rebuild must not close the offer again.
    """
    async with engine.connect() as connection:
        buckets = await connection.scalar(select(offer.c.buckets).where(offer.c.offer_no == offer_no))
    closed = [await stock.set_state(offer_no, bucket, epoch, OfferState.CLOSED) for bucket in range(buckets or 1)]
    if any(closed):
        log.error("oversold: offer closed until its stock is rebuilt", offer_no=offer_no, epoch=epoch)
