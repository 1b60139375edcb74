"""Brings the reservations in Redis to what the rows say. Derived from the row's state for every record, new or
replayed, never from having won the insert or the compare-and-set: a killed worker's successor does it again."""

from collections import defaultdict
from collections.abc import Iterable

from kernel.order_states import FAILED_STATES, SOLD_STATES, OrderState
from kernel.stock.port import StockPort
from kernel.stock.results import MoveKind
from order_worker.standing import Standing


async def apply_standings(stock: StockPort, standings: Iterable[Standing]) -> dict[str, int]:
    """Confirms, releases or gives back; each is a no-op where it was done before. Returns the number moved, by effect.

    Raises DependencyUnavailable; then all of it may be done again.
    """
    confirm: defaultdict[int, set[str]] = defaultdict(set)
    release: defaultdict[int, set[str]] = defaultdict(set)
    give_back: defaultdict[int, set[str]] = defaultdict(set)
    for each in standings:
        if each.state in SOLD_STATES:
            confirm[each.epoch].add(each.order_id)
        elif each.state in FAILED_STATES:
            release[each.epoch].add(each.order_id)
        elif each.state is OrderState.REFUNDED:
            # Its confirm may never have arrived: then it is still R, and give_back alone would leave it there.
            release[each.epoch].add(each.order_id)
            give_back[each.epoch].add(each.order_id)
    moved: dict[str, int] = {}
    steps = (("confirm", stock.confirm, confirm), ("release", stock.release, release))
    for name, script, groups in (*steps, ("give_back", stock.give_back, give_back)):
        for epoch, order_ids in groups.items():
            outcomes = await script(epoch, sorted(order_ids))
            moved[name] = moved.get(name, 0) + outcomes.count(MoveKind.MOVED)
    return moved
