"""Tells Redis the limits of the file, and what a voucher has given where Redis does not know."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from kernel.order_states import SOLD_STATES
from kernel.vouchers.records import Counters, Limits
from kernel.vouchers.redis_holds import Action, Grant, SettleKind
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger
from promo_svc.order_rows import OrderRow
from promo_svc.pricing import Voucher

log = get_logger(__name__)


class Holds(Protocol):
    async def set_limits(self, code: str, limits: Limits, *, opened: bool) -> None: ...

    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]: ...

    async def standing(self, codes: Sequence[str], user_id: str) -> dict[str, tuple[Counters, int]]: ...


class Rows(Protocol):
    async def holding(self, code: str) -> list[OrderRow]: ...


class OpenVouchers:
    """A voucher that Redis has forgotten (or that had no limits so far) is closed until the rows were counted."""

    def __init__(
        self,
        vouchers: Mapping[str, Voucher],
        holds: Holds,
        rows: Rows,
        hold_ms: int,
        stock_is_whole: Callable[[], Awaitable[bool]],
    ) -> None:
        self._limits = {code: voucher.limits for code, voucher in vouchers.items() if voucher.limits}
        self._holds, self._rows, self._hold_ms, self._stock_is_whole = holds, rows, hold_ms, stock_is_whole
        self._told: set[str] = set()

    async def __call__(self) -> None:
        """To be repeated: it does nothing for what is open. Raises DependencyUnavailable."""
        opened = await self._holds.standing(list(self._limits), "")
        if opened.keys() < self._limits.keys() and not await self._stock_is_whole():
            # What is in Kafka yet is in no row: counted now, the budget would be given twice.
            raise DependencyUnavailable("redis", "the stock was lost: vouchers wait for `peakmesh stock rebuild --all`")
        for code, limits in self._limits.items():
            if code not in opened:
                await self._count(code, limits)
            elif code in self._told:
                continue
            await self._holds.set_limits(code, limits, opened=True)
            self._told.add(code)

    async def _count(self, code: str, limits: Limits) -> None:
        # Closed meanwhile: what is granted before all rows are counted could be one too many.
        await self._holds.set_limits(code, limits, opened=False)
        rows = await self._rows.holding(code)
        paid = [each for each in rows if each.state in SOLD_STATES and not each.given_back]
        # What is being given back is held too: its refund may have been told already, and then time gives it back.
        unpaid = [each for each in rows if each not in paid]
        await self._holds.settle(code, Action.COMMIT, [_grant(each, 0) for each in paid])
        await self._holds.settle(code, Action.RESTORE, [_grant(each, self._hold_ms) for each in unpaid])
        log.info("voucher opened", code=code, paid=len(paid), unpaid=len(unpaid))


def _grant(row: OrderRow, n: int) -> Grant:
    return Grant(row.order_id, row.user_id, row.discount_minor, n)
