"""Every sale, newest first, page by page."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from governor.sale import Sale
from governor.sales_table import newest_sales
from meshkit.db.errors import database_answers
from meshkit.errors import InvalidFields

DEFAULT_SIZE, LARGEST_SIZE = 20, 100
_SALE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Page:
    sales: Sequence[Sale]
    next_token: str


class ListSales:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, page_size: int, page_token: str) -> Page:
        """`page_size` 0 is 20, at most 100. Raises InvalidFields naming page_size or page_token."""
        if page_size < 0:
            raise InvalidFields([("page_size", "must not be negative")])
        size, before = min(page_size or DEFAULT_SIZE, LARGEST_SIZE), read_token(page_token)
        with database_answers():
            async with self._engine.connect() as connection:
                found = await newest_sales(connection, before, size + 1)
        more = len(found) > size
        return Page(found[:size], make_token(found[size - 1].sale_id) if more else "")


def make_token(sale_id: str) -> str:
    """Opaque: the last sale of the page, so that new sales neither shift nor repeat what follows."""
    return base64.urlsafe_b64encode(sale_id.encode()).rstrip(b"=").decode()


def read_token(token: str) -> str:
    """The sale_id in a token, empty for an empty one. Raises InvalidFields."""
    if not token:
        return ""
    try:
        sale_id = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        sale_id = ""
    if not _SALE_ID.fullmatch(sale_id):
        raise InvalidFields([("page_token", "is not one that ListSales gave")])
    return sale_id
