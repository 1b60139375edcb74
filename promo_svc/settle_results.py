"""A batch of payments.results: what was paid is committed, what failed or went back is free again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from google.protobuf.message import DecodeError

from kernel.order_ids import offer_of
from kernel.order_states import OPEN_STATES, SOLD_STATES
from kernel.vouchers.redis_holds import Action, Grant, SettleKind
from meshkit.errors import DependencyUnavailable
from meshkit.kafka.consumer import Record
from meshkit.log import get_logger
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult
from promo_svc.metrics import SETTLED, SKIPPED
from promo_svc.order_rows import OrderRow

log = get_logger(__name__)
_ACTIONS = {
    PaymentOutcome.PAYMENT_OUTCOME_PAID: Action.COMMIT,
    PaymentOutcome.PAYMENT_OUTCOME_SETTLED: Action.CONFIRM,
    PaymentOutcome.PAYMENT_OUTCOME_FAILED: Action.FREE,
    PaymentOutcome.PAYMENT_OUTCOME_REFUNDED: Action.REFUND,
}
# Of several records of an order the last of these counts. Not the last that was told: a settlement that is overtaken by
# its buyer's cancel tells SETTLED, and one that is repeated PAID, after REFUNDED.
_PRECEDENCE = (Action.CONFIRM, Action.COMMIT, Action.FREE, Action.REFUND)
_ENDS = {Action.CONFIRM: "committed", Action.COMMIT: "committed", Action.FREE: "freed", Action.REFUND: "refunded"}


class Holds(Protocol):
    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]: ...


class Rows(Protocol):
    async def find(self, order_ids: Collection[str]) -> dict[str, OrderRow]: ...


class SettleResults:
    """The record names the order alone; its row, written before anybody was charged, names voucher, buyer and amount.

    `limited`: codes that must be open before a result of theirs counts as done.
    """

    def __init__(self, holds: Holds, rows: Rows, limited: Collection[str]) -> None:
        self._holds, self._rows, self._limited = holds, rows, frozenset(limited)

    async def __call__(self, records: Sequence[Record]) -> None:
        """Every effect may be repeated. Raises DependencyUnavailable: then the whole batch is to be done again."""
        actions = _actions(records)
        rows = await self._rows.find(actions)
        batches: defaultdict[tuple[str, Action], list[Grant]] = defaultdict(list)
        for order_id, row in rows.items():
            action = _allowed(actions[order_id], row)
            if row.code and action:
                batches[row.code, action].append(Grant(order_id, row.user_id, row.discount_minor))
        for (code, action), grants in batches.items():
            self._count(code, action, await self._holds.settle(code, action, grants))

    def _count(self, code: str, action: Action, kinds: Sequence[SettleKind]) -> None:
        # A voucher without limits has no counters, and needs none.
        if SettleKind.CLOSED in kinds and code in self._limited:
            raise DependencyUnavailable("redis", f"what {code} has given is not known yet")
        SETTLED.labels(_ENDS[action]).inc(kinds.count(SettleKind.MOVED))
        retaken = kinds.count(SettleKind.RETAKEN)
        if retaken:
            SETTLED.labels("retaken").inc(retaken)
            log.warning("paid after the hold was gone; counted all the same", code=code, orders=retaken)


def _allowed(asked: Action, row: OrderRow) -> Action | None:
    """None for the charge of an order that has failed: its REFUNDED was told, or will be. Where a refund has begun that
    may be so too, and only a hold that is still there is committed."""
    if asked not in (Action.COMMIT, Action.CONFIRM):
        return asked
    if row.state not in OPEN_STATES | SOLD_STATES:
        return None
    return Action.CONFIRM if row.given_back else asked


def _actions(records: Iterable[Record]) -> dict[str, Action]:
    """By order, what its records ask for."""
    actions: dict[str, Action] = {}
    for record in records:
        try:
            result = PaymentResult.FromString(record.value)
            offer_of(result.order_id)
            action = _ACTIONS[result.outcome]
        except (DecodeError, ValueError, KeyError):
            # order_worker puts it into the dead-letter topic; once is enough.
            SKIPPED.inc()
        else:
            actions[result.order_id] = max(action, actions.get(result.order_id, action), key=_PRECEDENCE.index)
    return actions
