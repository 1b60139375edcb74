"""Tables `sale`, `offer` and `stock_epoch`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from governor.sale import BUCKETS, NewSale, OfferRow, OfferSpec, Product, Sale, SaleState
from kernel.offers import Offer
from kernel.schema import offer, sale, stock_epoch
from kernel.stock.results import OfferState
from meshkit.errors import SaleNotFound

Priced = tuple[OfferSpec, Product, int]  # with the product's price_version

# Sales whose Redis side a crash may have left undone.
_UNSETTLED = tuple(state for state in SaleState if state is not SaleState.CLOSED)


async def current_epoch(connection: AsyncConnection) -> int:
    found = await connection.scalar(select(stock_epoch.c.epoch).where(stock_epoch.c.id == 1))
    return 1 if found is None else int(found)


async def insert_sale(
    connection: AsyncConnection, sale_id: str, new: NewSale, priced: Sequence[Priced], now_ms: int
) -> None:
    hours = {"opens_ms": new.opens_ms, "closes_ms": new.closes_ms}
    row = {"sale_id": sale_id, "state": SaleState.OPENING, "created_ms": now_ms, **hours}
    await connection.execute(insert(sale).values(row))
    common = {"sale_id": sale_id, "state": OfferState.OPEN, "buckets": BUCKETS, **hours}
    common["epoch"] = await current_epoch(connection)
    rows = [common | _offer_values(*each) for each in priced]
    await connection.execute(insert(offer), rows)


def _offer_values(spec: OfferSpec, product: Product, price_version: int) -> dict[str, Any]:
    return {
        "sku": spec.sku,
        "initial": spec.units,
        "unit_limit": spec.limit_per_user,
        "price_minor": product.price_minor,
        "currency": product.currency,
        "price_version": price_version,
        "unit_weight_grams": product.weight_grams,
    }


async def read_sale(connection: AsyncConnection, sale_id: str) -> Sale:
    """Raises SaleNotFound."""
    found = (await connection.execute(select(sale).where(sale.c.sale_id == sale_id))).one_or_none()
    if found is None:
        raise SaleNotFound("no such sale", metadata={"sale_id": sale_id})
    [read] = await _with_offers(connection, [found])
    return read


async def newest_sales(connection: AsyncConnection, before: str, count: int) -> list[Sale]:
    """Newest first, at most `count`; `before` is a sale_id, which sorts by time, or empty to begin."""
    query = select(sale).order_by(sale.c.sale_id.desc()).limit(count)
    if before:
        query = query.where(sale.c.sale_id < before)
    return await _with_offers(connection, (await connection.execute(query)).all())


async def _with_offers(connection: AsyncConnection, found: Sequence[Any]) -> list[Sale]:
    query = select(offer).where(offer.c.sale_id.in_([row.sale_id for row in found])).order_by(offer.c.offer_no)
    offers: dict[str, list[OfferRow]] = {row.sale_id: [] for row in found}
    for row in await connection.execute(query) if found else ():
        offers[row.sale_id].append(offer_row(row))
    return [Sale(row.sale_id, SaleState(row.state), row.opens_ms, row.closes_ms, offers[row.sale_id]) for row in found]


def offer_row(row: Any) -> OfferRow:
    """Of a row of `offer`."""
    names = Offer.__dataclass_fields__
    return OfferRow(Offer(**{name: getattr(row, name) for name in names}), row.initial, row.reserved, row.sold)


async def unsettled_sales(connection: AsyncConnection) -> list[str]:
    query = select(sale.c.sale_id).where(sale.c.state.in_(_UNSETTLED)).order_by(sale.c.sale_id)
    return list(await connection.scalars(query))


async def move_sale(connection: AsyncConnection, sale_id: str, old: Sequence[SaleState], new: SaleState) -> bool:
    """False: the sale is in none of the old states."""
    change = update(sale).where(sale.c.sale_id == sale_id, sale.c.state.in_(old)).values(state=new)
    return bool((await connection.execute(change)).rowcount == 1)


async def close_offers(connection: AsyncConnection, sale_id: str) -> None:
    await connection.execute(update(offer).where(offer.c.sale_id == sale_id).values(state=OfferState.CLOSED))


async def move_offers(connection: AsyncConnection, sale_id: str, old: OfferState, new: OfferState) -> None:
    """Those in `old`: one that is CLOSED stays closed."""
    mine = (offer.c.sale_id == sale_id, offer.c.state == old)
    await connection.execute(update(offer).where(*mine).values(state=new))


async def set_initial(connection: AsyncConnection, offer_no: int, units: int) -> bool:
    """False: more than that is reserved or sold."""
    enough = offer.c.reserved + offer.c.sold <= units
    change = update(offer).where(offer.c.offer_no == offer_no, enough).values(initial=units)
    return bool((await connection.execute(change)).rowcount == 1)
