"""A caller's own orders, newest first, page by page."""

import base64
import binascii
from dataclasses import dataclass
from typing import Protocol

from kernel.order_ids import offer_of
from meshkit.errors import InvalidFields
from order_worker.order_reads import OrderView

DEFAULT_SIZE, LARGEST_SIZE = 50, 200


class Reads(Protocol):
    async def newest(self, user_id: str, before: str, count: int) -> list[OrderView]: ...


@dataclass(frozen=True, slots=True)
class Page:
    orders: list[OrderView]
    next_token: str


class ListOrders:
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def __call__(self, user_id: str, page_size: int, page_token: str) -> Page:
        """`page_size` 0 is 50, at most 200. Raises InvalidFields naming page_size or page_token."""
        if page_size < 0:
            raise InvalidFields([("page_size", "must not be negative")])
        size = min(page_size or DEFAULT_SIZE, LARGEST_SIZE)
        found = await self._reads.newest(user_id, read_token(page_token), size + 1)
        more = len(found) > size
        return Page(found[:size], make_token(found[size - 1].order_id) if more else "")


def make_token(order_id: str) -> str:
    """Opaque: the last order of the page, so that new orders neither shift nor repeat what follows."""
    return base64.urlsafe_b64encode(bytes.fromhex(order_id.replace("-", ""))).rstrip(b"=").decode()


def read_token(token: str) -> str:
    """The order_id in a token, empty for an empty one. Raises InvalidFields."""
    if not token:
        return ""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)).hex()
        order_id = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
        offer_of(order_id)
    except (binascii.Error, ValueError):
        raise InvalidFields([("page_token", "is not one that ListOrders gave")]) from None
    return order_id
