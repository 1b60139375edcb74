"""Table `stock_rebuild`, and the epochs that a rebuild moves."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from governor.rebuild import Rebuild, RebuildState
from governor.sale import OfferRow, SaleState
from governor.sales_table import current_epoch, offer_row
from kernel.ops_journal import OpsCall
from kernel.schema import offer, sale, stock_epoch, stock_rebuild
from meshkit.errors import IllegalState, SaleNotFound


async def begin(connection: AsyncConnection, call: OpsCall, sale_id: str, reason: str) -> int:
    """The epoch of a new rebuild of the sale's offers, of all where `sale_id` is empty; or of the one that is under way
    for them. Raises SaleNotFound, IllegalState. Under the ChangeLock."""
    numbers = await _offers_of(connection, sale_id)
    under_way = await read_under_way(connection)
    if under_way is not None:
        if not under_way.offers.keys() >= set(numbers):
            words = f"the rebuild of epoch {under_way.epoch} comes first, and does not hold all of this"
            raise IllegalState(words, metadata={"epoch": str(under_way.epoch)})
        return under_way.epoch
    epoch = await _next_epoch(connection)
    same = {"epoch": epoch, "request_id": call.request_id, "reason": reason, "state": RebuildState.BEGUN.value}
    same |= {"started_ms": call.at_ms, "updated_ms": call.at_ms}
    await connection.execute(insert(stock_rebuild), [same | {"offer_no": number} for number in numbers])
    return epoch


async def _offers_of(connection: AsyncConnection, sale_id: str) -> list[int]:
    """A sale that is OPENING has no stock to lose yet; opening it is what makes it."""
    query = select(offer.c.offer_no).join(sale, sale.c.sale_id == offer.c.sale_id).order_by(offer.c.offer_no)
    query = query.where(sale.c.state != SaleState.OPENING.value)
    if sale_id:
        query = query.where(sale.c.sale_id == sale_id)
    numbers = list(await connection.scalars(query))
    if not numbers:
        raise SaleNotFound("no sale that was opened", metadata={"sale_id": sale_id} if sale_id else {})
    return numbers


async def read_under_way(connection: AsyncConnection) -> Rebuild | None:
    """At most one at a time."""
    query = select(stock_rebuild.c.epoch).where(stock_rebuild.c.state != RebuildState.DONE.value).limit(1)
    epoch = await connection.scalar(query)
    return None if epoch is None else await read_rebuild(connection, epoch)


async def covers_all(connection: AsyncConnection, rebuild: Rebuild) -> bool:
    return rebuild.offers.keys() >= set(await _offers_of(connection, ""))


async def _next_epoch(connection: AsyncConnection) -> int:
    """One that no offer ever had. A compare-and-set, should the lock have been lost."""
    before = await connection.scalar(select(stock_epoch.c.epoch).where(stock_epoch.c.id == 1))
    highest = await connection.scalar(select(func.max(offer.c.epoch))) or 0
    epoch = max(await current_epoch(connection), highest) + 1
    if before is None:
        await connection.execute(insert(stock_epoch).values(id=1, epoch=epoch))
        return epoch
    mine = (stock_epoch.c.id == 1, stock_epoch.c.epoch == before)
    if (await connection.execute(update(stock_epoch).where(*mine).values(epoch=epoch))).rowcount != 1:
        raise IllegalState("another rebuild has begun meanwhile")
    return epoch


async def read_rebuild(connection: AsyncConnection, epoch: int) -> Rebuild:
    query = select(stock_rebuild.c.offer_no, stock_rebuild.c.state).where(stock_rebuild.c.epoch == epoch)
    return Rebuild(epoch, {row.offer_no: RebuildState(row.state) for row in await connection.execute(query)})


async def move_offers(
    connection: AsyncConnection, epoch: int, numbers: Collection[int], new: RebuildState, now_ms: int
) -> None:
    mine = (stock_rebuild.c.epoch == epoch, stock_rebuild.c.offer_no.in_(sorted(numbers)))
    await connection.execute(update(stock_rebuild).where(*mine).values(state=new.value, updated_ms=now_ms))


async def read_offers(connection: AsyncConnection, numbers: Collection[int]) -> list[OfferRow]:
    query = select(offer).where(offer.c.offer_no.in_(sorted(numbers))).order_by(offer.c.offer_no)
    return [offer_row(row) for row in await connection.execute(query)]


async def start_epoch(connection: AsyncConnection, row: OfferRow, epoch: int) -> None:
    """The truth that every script's epoch is held against. Raises IllegalState where another rebuild moved it."""
    if row.offer.epoch == epoch:
        return
    mine = (offer.c.offer_no == row.offer.offer_no, offer.c.epoch == row.offer.epoch)
    if (await connection.execute(update(offer).where(*mine).values(epoch=epoch))).rowcount != 1:
        raise IllegalState(f"offer {row.offer.offer_no} is in another epoch meanwhile")


async def hours_of(connection: AsyncConnection, number: int) -> tuple[int, int]:
    found: Sequence[Any] = (
        await connection.execute(select(offer.c.opens_ms, offer.c.closes_ms).where(offer.c.offer_no == number))
    ).one()
    return found[0], found[1]
