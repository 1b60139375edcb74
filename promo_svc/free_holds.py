"""Gives holds back whose orders did not come to be."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from kernel.vouchers.redis_holds import Action, Grant, SettleKind
from promo_svc.metrics import SETTLED


class Holds(Protocol):
    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]: ...


async def free_holds(holds: Holds, unused: Sequence[tuple[str, Grant]]) -> int:
    """(voucher's code, grant with its take) each; returns how many were there. A code without holds is passed over."""
    by_code: defaultdict[str, dict[str, Grant]] = defaultdict(dict)
    for code, grant in unused:
        by_code[code][grant.order_id] = grant
    freed = 0
    for code, grants in by_code.items():
        kinds = await holds.settle(code, Action.FREE, list(grants.values()))
        freed += kinds.count(SettleKind.MOVED)
    SETTLED.labels("freed").inc(freed)
    return freed
