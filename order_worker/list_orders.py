"""A caller's own orders, newest first, page by page."""

from dataclasses import dataclass
from typing import Protocol

from meshkit.rpc import pages
from order_worker.order_filter import OrderFilter, make_token, read_token
from order_worker.order_reads import OrderView

DEFAULT_SIZE, LARGEST_SIZE = 50, 200


class Reads(Protocol):
    async def newest(self, user_id: str, before: str, count: int, which: OrderFilter) -> list[OrderView]: ...


@dataclass(frozen=True, slots=True)
class Page:
    orders: list[OrderView]
    next_token: str


class ListOrders:
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def __call__(self, user_id: str, page_size: int, page_token: str, which: OrderFilter) -> Page:
        """`page_size` 0 is 50, at most 200. Raises InvalidFields naming page_size or page_token."""
        size = pages.page_size(page_size, DEFAULT_SIZE, LARGEST_SIZE)
        found = await self._reads.newest(user_id, read_token(page_token, which), size + 1, which)
        more = len(found) > size
        return Page(found[:size], make_token(found[size - 1].order_id, which) if more else "")
