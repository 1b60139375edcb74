"""Holds that nobody ended in time. Time only nominates: the order's row, or its reservation, decides."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from kernel.order_states import OPEN_STATES, SOLD_STATES
from kernel.stock.results import Reservation, ReservationState
from kernel.vouchers.redis_holds import Action, Grant, SettleKind
from meshkit.log import get_logger
from promo_svc.metrics import SETTLED
from promo_svc.order_rows import OrderRow

log = get_logger(__name__)
AT_MOST = 200  # a turn and voucher
KEEP_MS = 60_000
_ENDS = {Action.CONFIRM: "committed", Action.FREE: "expired", Action.REFUND: "expired"}


class Holds(Protocol):
    async def codes(self) -> list[str]: ...

    async def due(self, code: str, now_ms: int, count: int) -> list[Grant]: ...

    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]: ...


class Rows(Protocol):
    async def find(self, order_ids: Collection[str]) -> dict[str, OrderRow]: ...


class Stock(Protocol):
    async def reservation(self, order_id: str) -> Reservation | None: ...


class ExpireHolds:
    """Heals what was missed too: a result lost, a FreeHolds lost, a quote that came after its caller had given up."""

    def __init__(self, holds: Holds, rows: Rows, stock: Stock, now_ms: Callable[[], int]) -> None:
        self._holds, self._rows, self._stock, self._now_ms = holds, rows, stock, now_ms

    async def __call__(self) -> None:
        """Raises DependencyUnavailable; whatever was not done is done by the next turn."""
        for code in await self._holds.codes():
            due = await self._holds.due(code, self._now_ms(), AT_MOST)
            rows = await self._rows.find([each.order_id for each in due])
            ends: defaultdict[Action, list[Grant]] = defaultdict(list)
            for each in due:
                action, grant = await self._judge(code, each, rows.get(each.order_id))
                ends[action].append(grant)
            for action, grants in ends.items():
                kinds = await self._holds.settle(code, action, grants)
                if action in _ENDS:
                    SETTLED.labels(_ENDS[action]).inc(kinds.count(SettleKind.MOVED))
                    log.info("holds past their time", code=code, end=_ENDS[action], orders=len(grants))

    async def _judge(self, code: str, due: Grant, row: OrderRow | None) -> tuple[Action, Grant]:
        keep = Grant(due.order_id, n=KEEP_MS)
        if row is None:
            # It may still be on its way through Kafka: then its reservation stands.
            held = await self._stock.reservation(due.order_id)
            stands = held is not None and held.state is not ReservationState.RELEASED
            return (Action.KEEP, keep) if stands else (Action.FREE, due)
        if row.code != code:  # sold at list price: the answer to the quote came too late
            return Action.FREE, due
        if row.state in OPEN_STATES:
            return Action.KEEP, keep
        if row.state in SOLD_STATES:
            return Action.CONFIRM, Grant(row.order_id, row.user_id, row.discount_minor)
        return Action.REFUND, due
