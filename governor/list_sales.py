"""Every sale, newest first, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from governor.sale import Sale
from governor.sales_table import newest_sales
from meshkit.db.errors import database_answers
from meshkit.ids import is_ident
from meshkit.rpc import pages

DEFAULT_SIZE, LARGEST_SIZE = 20, 100


@dataclass(frozen=True, slots=True)
class Page:
    sales: Sequence[Sale]
    next_token: str


class ListSales:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, page_size: int, page_token: str) -> Page:
        """`page_size` 0 is 20, at most 100. Raises InvalidFields naming page_size or page_token."""
        size = pages.page_size(page_size, DEFAULT_SIZE, LARGEST_SIZE)
        before = read_token(page_token)
        with database_answers():
            async with self._engine.connect() as connection:
                found = await newest_sales(connection, before, size + 1)
        more = len(found) > size
        return Page(found[:size], make_token(found[size - 1].sale_id) if more else "")


def make_token(sale_id: str) -> str:
    """Opaque: the last sale of the page, so that new sales neither shift nor repeat what follows."""
    return pages.write_token(sale_id.encode())


def read_token(token: str) -> str:
    """The sale_id in a token, empty for an empty one. Raises InvalidFields."""
    if not token:
        return ""
    sale_id = pages.read_token(token).decode(errors="replace")
    if not is_ident(sale_id):
        raise pages.foreign_token()
    return sale_id
