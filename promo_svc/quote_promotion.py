"""The use case: quote what a voucher takes off a purchase, and hold it for the order."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kernel.vouchers.redis_holds import Grant, TakeKind, Taken
from meshkit.errors import DependencyUnavailable, InvalidFields
from promo_svc.pricing import Granted, Refused, Spend, Voucher, discount

_REFUSALS = {
    TakeKind.USED: "you have used the voucher as often as you may",
    TakeKind.SPENT: "the voucher is used up",
}


class Holds(Protocol):
    async def take(self, code: str, grant: Grant, hold_ms: int, request: str = "") -> Taken: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """`request`: names the buyer's request over its retries; empty where it is not known."""

    code: str
    user_id: str
    spend: Spend
    order_id: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """`order_id`: whose hold it is; empty without a hold."""

    granted: Granted
    order_id: str = ""
    take: int = 0


class QuotePromotion:
    """Without limits a pure read; with them one round trip to Redis, of at most `seconds`. `clock`: aware times."""

    def __init__(
        self,
        vouchers: Mapping[str, Voucher],
        holds: Holds,
        hold_ms: int,
        seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._vouchers, self._holds, self._clock = vouchers, holds, clock
        self._hold_ms, self._seconds = hold_ms, seconds

    async def __call__(self, wish: Wish) -> Quote | Refused:
        """Raises DependencyUnavailable where Redis does not answer, or does not know what the voucher has given."""
        voucher = self._vouchers.get(wish.code)
        if voucher is None:
            return Refused("no such voucher")
        granted = discount(voucher, wish.spend, self._clock())
        if isinstance(granted, Refused):
            return granted
        # An order that nothing is taken off carries no voucher, so it takes nothing of the budget.
        if not voucher.limits or granted.minor == 0:
            return Quote(granted)
        if not wish.order_id:
            raise InvalidFields([("order_id", "needed for a voucher with limits")])
        return await self._held(wish, granted)

    async def _held(self, wish: Wish, granted: Granted) -> Quote | Refused:
        grant = Grant(wish.order_id, wish.user_id, granted.minor)
        try:
            # The caller waits little longer: an answer in time tells a slow Redis from a dead service.
            async with asyncio.timeout(self._seconds):
                taken = await self._holds.take(wish.code, grant, self._hold_ms, wish.request)
        except TimeoutError:
            raise DependencyUnavailable("redis", "redis did not answer in time") from None
        if taken.kind is TakeKind.CLOSED:
            raise DependencyUnavailable("redis", f"what {wish.code} has given is not known yet")
        if taken.kind is not TakeKind.GRANTED:
            return Refused(_REFUSALS[taken.kind])
        return Quote(Granted(taken.amount_minor, granted.stacked), taken.order_id, taken.take)
