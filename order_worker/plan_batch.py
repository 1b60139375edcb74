"""What a batch of intake records writes to the database. Pure: rows seen and records in, a plan out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kernel.order_states import OrderState, StockClass, stock_class
from peakmesh.event.v1.events_pb2 import AcceptedOrder

Person = tuple[str, int]
_NAMELESS = (OrderState.REJECTED_DUPLICATE, OrderState.REJECTED_STALE_EPOCH, OrderState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Intake:
    """One decoded record of orders.intake, a fence aside. `cancelled`: its buyer never learned of it."""

    order: AcceptedOrder
    partition: int
    offset: int
    cancelled: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FencePassed:
    """A rebuild's marker, read."""

    partition: int
    offset: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A marker and an offer that was rebuilt with it: its orders that follow in the partition must carry `epoch` or a
    later one."""

    partition: int
    offset: int
    epoch: int
    offer_no: int


@dataclass(frozen=True, slots=True)
class RowSeen:
    """An order row the database has. `request_id` is None where the request is not its own, or not any more."""

    order_id: str
    offer_no: int
    user_id: str
    request_id: str | None
    quantity: int
    state: OrderState


@dataclass(frozen=True, slots=True)
class NewRow:
    order: AcceptedOrder
    state: OrderState
    reason: str = ""

    @property
    def request_id(self) -> str | None:
        """NULL on the loser of a request_id, so that the unique index holds the winner alone; and on an order of a lost
        stock, or cancelled for want of consent, whose buyer was never told QUEUED: once Redis has forgotten it, asking
        again makes an order that stands."""
        return None if self.state in _NAMELESS else self.order.request_id


@dataclass(slots=True)
class Plan:
    """`inserts` by primary key; `cancels`: CREATED rows to close unless their debit was started."""

    inserts: list[NewRow] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)

    def debits(self) -> dict[int, int]:
        """Units to reserve an offer."""
        units: Counter[int] = Counter()
        for row in self.inserts:
            if row.state is OrderState.CREATED:
                units[row.order.offer_no] += row.order.quantity
        return dict(sorted(units.items()))


@dataclass(slots=True)
class _Ledger:
    """What is taken so far: rows of the database, then each planned row over them."""

    rows: dict[str, OrderState]
    requests: dict[tuple[str, int, str], str]
    held: Counter[Person]

    @classmethod
    def of(cls, seen: Iterable[RowSeen]) -> "_Ledger":
        ledger = cls({}, {}, Counter())
        for row in seen:
            ledger.add(row.order_id, (row.user_id, row.offer_no), row.request_id, row.quantity, row.state)
        return ledger

    def add(self, order_id: str, who: Person, request_id: str | None, quantity: int, state: OrderState) -> None:
        self.rows[order_id] = state
        if request_id is not None:
            self.requests[(*who, request_id)] = order_id
        if stock_class(state) is not StockClass.NONE:
            self.held[who] += quantity


def plan_batch(
    seen: Iterable[RowSeen],
    batch: Sequence[Intake],
    limits: Mapping[int, int],
    fences: Iterable[Fence] = (),
) -> Plan:
    """At most one row an order and one a request.

    `limits`: units a user may hold, by offer number; every offer of the batch must be in it.
    """
    ledger, plan, markers = _Ledger.of(seen), Plan(), list(fences)
    # A cancel anywhere in the batch decides a new order: no debit can have been started for a row not yet written.
    cancelled = {each.order.order_id: each.reason for each in batch if each.cancelled}
    for each in batch:
        order = each.order
        state = ledger.rows.get(order.order_id)
        if state is None:
            row = _decide(each, ledger, limits, markers, cancelled)
            ledger.add(order.order_id, (order.user_id, order.offer_no), row.request_id, order.quantity, row.state)
            plan.inserts.append(row)
        elif each.cancelled and state is OrderState.CREATED:
            plan.cancels.append(order.order_id)
    plan.inserts.sort(key=lambda row: row.order.order_id)
    plan.cancels = sorted(set(plan.cancels))
    return plan


def _decide(
    each: Intake,
    ledger: _Ledger,
    limits: Mapping[int, int],
    fences: Sequence[Fence],
    cancelled: Mapping[str, str],
) -> NewRow:
    order = each.order
    who = (order.user_id, order.offer_no)
    if (*who, order.request_id) in ledger.requests:
        winner = ledger.requests[(*who, order.request_id)]
        return NewRow(order, OrderState.REJECTED_DUPLICATE, f"order {winner} has this request_id")
    if order.order_id in cancelled:
        return NewRow(order, OrderState.CANCELLED, cancelled[order.order_id])
    if _is_stale(each, fences):
        return NewRow(order, OrderState.REJECTED_STALE_EPOCH, "accepted before the stock was rebuilt")
    limit = limits[order.offer_no]
    if ledger.held[who] + order.quantity > limit:
        return NewRow(order, OrderState.REJECTED_LIMIT, f"the limit is {limit} a buyer")
    return NewRow(order, OrderState.CREATED)


def _is_stale(each: Intake, fences: Sequence[Fence]) -> bool:
    return any(
        fence.partition == each.partition
        and fence.offset < each.offset
        and fence.offer_no == each.order.offer_no
        and each.order.epoch < fence.epoch
        for fence in fences
    )


def overflow(rows: Iterable[NewRow], available: int) -> list[str]:
    """Order ids of one offer's CREATED rows that do not fit into `available` units, first come first served."""
    refused: list[str] = []
    for row in rows:
        if row.order.quantity <= available:
            available -= row.order.quantity
        else:
            refused.append(row.order.order_id)
    return refused
