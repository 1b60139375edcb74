"""Gives holds back whose orders did not come to be."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from kernel.vouchers.redis_holds import Action, Grant, SettleKind
from promo_svc.metrics import SETTLED


class Holds(Protocol):
    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]: ...


async def free_holds(holds: Holds, unused: Sequence[tuple[str, Grant]]) -> int:
    """(voucher's code, grant with its take) each; returns how many are free now. A code without holds is passed over.

    What was taken more than once is an earlier call's too, which may be about to reserve with it: it is kept for as
    long as a call can take, and then its row and its reservation are asked. Left as it was, two taps of a request that
    is refused would keep a grant from everybody for 15 minutes.
    """
    latest: dict[tuple[str, str], Grant] = {}
    for code, grant in unused:
        known = latest.setdefault((code, grant.order_id), grant)
        latest[code, grant.order_id] = max(known, grant, key=lambda each: each.n)
    batches: defaultdict[tuple[str, Action], list[Grant]] = defaultdict(list)
    for (code, _), grant in latest.items():
        batches[code, Action.FREE if grant.n == 1 else Action.SHORTEN].append(grant)
    freed = 0
    for (code, action), grants in batches.items():
        kinds = await holds.settle(code, action, grants)
        freed += kinds.count(SettleKind.MOVED) if action is Action.FREE else 0
    SETTLED.labels("freed").inc(freed)
    return freed
