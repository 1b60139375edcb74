"""The vouchers a user could use now, page by page."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kernel.vouchers.records import Counters
from meshkit.rpc import pages
from promo_svc.pricing import Voucher

DEFAULT_SIZE, LARGEST_SIZE = 50, 200


class Holds(Protocol):
    async def standing(self, codes: Sequence[str], user_id: str) -> dict[str, tuple[Counters, int]]: ...


@dataclass(frozen=True, slots=True)
class Usable:
    """`remaining` None: as often as they like."""

    voucher: Voucher
    remaining: int | None


@dataclass(frozen=True, slots=True)
class Page:
    vouchers: list[Usable]
    next_token: str


class ListVouchers:
    def __init__(self, vouchers: Mapping[str, Voucher], holds: Holds, clock: Callable[[], datetime]) -> None:
        self._vouchers, self._holds, self._clock = vouchers, holds, clock
        self._codes = sorted(code for code, voucher in vouchers.items() if voucher.listed)

    async def __call__(self, user_id: str, page_size: int, page_token: str) -> Page:
        """`page_size` 0 is 50, at most 200. Raises InvalidFields naming page_size or page_token."""
        size = pages.page_size(page_size, DEFAULT_SIZE, LARGEST_SIZE)
        start = bisect_right(self._codes, read_token(page_token)) if page_token else 0
        found: list[Usable] = []
        while start < len(self._codes) and len(found) <= size:
            codes = self._codes[start : start + size + 1]
            found += await self._usable(codes, user_id)
            start += len(codes)
        more = len(found) > size
        return Page(found[:size], make_token(found[size - 1].voucher.code) if more else "")

    async def _usable(self, codes: Sequence[str], user_id: str) -> list[Usable]:
        now = self._clock()
        valid = [self._vouchers[code] for code in codes]
        valid = [each for each in valid if each.terms.valid_from <= now < each.terms.valid_until]
        standing = await self._holds.standing([each.code for each in valid if each.limits], user_id)
        found = (_left(each, standing.get(each.code)) for each in valid)
        return [each for each in found if each is not None]


def _left(voucher: Voucher, standing: tuple[Counters, int] | None) -> Usable | None:
    """None where it cannot be used: spent, used as often as allowed, or not open."""
    if not voucher.limits:
        return Usable(voucher, None)
    if standing is None or standing[0].spent:
        return None
    counters, uses = standing
    if counters.limits.uses_per_user is None:
        return Usable(voucher, None)
    remaining = counters.limits.uses_per_user - uses
    return Usable(voucher, remaining) if remaining > 0 else None


def make_token(code: str) -> str:
    """Opaque: the last code of the page."""
    return pages.write_token(code.encode())


def read_token(token: str) -> str:
    """Raises InvalidFields."""
    try:
        return pages.read_token(token).decode("ascii")
    except UnicodeDecodeError:
        raise pages.foreign_token() from None
