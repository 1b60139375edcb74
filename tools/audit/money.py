"""Invariants of money: charged once, to the right buyer, the right amount, by the provider's own journal."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from kernel.order_states import SOLD_STATES, OrderState
from kernel.payment_steps import AFTER_PIVOT, BOOKING, COINS, CREDIT, DEBIT, INVOICE, REVOKE, STUCK, UNBOOK
from tools.audit.facts import UNSOLD_STATES, Database, Debit, Facts, Journal, OrderRow, Transfer

T = TypeVar("T", Debit, Transfer)

SETTLING = frozenset(AFTER_PIVOT)
_TAKES_BACK = {UNBOOK: BOOKING, CREDIT: INVOICE, REVOKE: COINS}


def charged_once(facts: Facts, database: Database, journal: Journal) -> Iterator[str]:
    """I7: by the ledger, one debit for a paid order, of its payer, in its currency; a failed order, and one that was
    given back, keeps neither money nor goods. The provider's table of debits says the same."""
    moved = _by_order(journal.transfers)
    listed = _by_order(journal.debits)
    for order_id, row in database.orders.items():
        if facts.settled(row):
            yield from _misjudged(row, moved[order_id])
            yield from _misbooked(order_id, moved[order_id], listed[order_id])
    yield from _misplaced(facts, database, journal)
    if not facts.live:
        for order_id in (moved.keys() | listed.keys()) - database.orders.keys():
            yield f"order {order_id} was charged and has no row"


def _by_order(entries: Iterable[T]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = defaultdict(list)
    for each in entries:
        found[each.order_id].append(each)
    return found


def _misjudged(row: OrderRow, moved: Sequence[Transfer]) -> Iterator[str]:
    """`moved`: every transfer of this order."""
    taken = [each.amount_minor for each in moved if each.kind == DEBIT]
    back = [each.amount_minor for each in moved if each.kind != DEBIT]
    kept = len(taken) - len(back)
    if len(taken) > 1:
        yield f"order {row.order_id} was debited {len(taken)} times"
    if len(back) > len(taken):
        yield f"order {row.order_id} was given back {len(back)} times, and debited {len(taken)} times"
    elif kept == 0 and sum(taken) != sum(back):
        yield f"order {row.order_id} was debited {sum(taken)}, and {sum(back)} were given back"
    if row.state in SOLD_STATES and kept != 1:
        yield f"order {row.order_id} is {row.state} with {kept} debits"
    if row.state in UNSOLD_STATES and kept > 0:
        yield f"order {row.order_id} is {row.state} and was charged"
    for each in moved:
        if each.user_id != row.user_id:
            yield f"order {row.order_id} of {row.user_id}: its {each.kind} is one of {each.user_id or 'nobody'}"
        if each.currency != row.currency:
            yield f"order {row.order_id} is in {row.currency}, its {each.kind} in {each.currency or 'nothing'}"


def _misbooked(order_id: str, moved: Sequence[Transfer], listed: Sequence[Debit]) -> Iterator[str]:
    ledger = sorted((each.user_id, each.amount_minor, each.currency) for each in moved if each.kind == DEBIT)
    table = sorted((each.user_id, each.amount_minor, each.currency) for each in listed)
    if ledger != table:
        yield f"order {order_id}: the provider lists the debits {table}, its ledger has {ledger}"
    back = sum(each.kind != DEBIT for each in moved)
    if back != sum(each.refunded for each in listed):
        yield f"order {order_id}: the provider lists other refunds than the {back} of its ledger"


def _misplaced(facts: Facts, database: Database, journal: Journal) -> Iterator[str]:
    """Goods: each step journalled for a done order, and none kept by one that failed or was given back."""
    # What a provider refuses to take back is listed as stuck; somebody must look at it, and knows.
    stuck: dict[str, set[str]] = defaultdict(set)
    for step in database.steps:
        if step.state == STUCK and step.step in _TAKES_BACK:
            stuck[step.order_id].add(_TAKES_BACK[step.step])
    for order_id, row in database.orders.items():
        if not facts.settled(row):
            continue
        has = journal.settled.get(order_id, frozenset()) - journal.taken_back.get(order_id, frozenset())
        if row.state == OrderState.TO_SHIP and SETTLING - has:
            yield f"order {order_id} is TO_SHIP without {', '.join(sorted(SETTLING - has))}"
        if row.state in UNSOLD_STATES and has - stuck[order_id]:
            yield f"order {order_id} is {row.state} and keeps its {', '.join(sorted(has - stuck[order_id]))}"


def balanced(_: Facts, journal: Journal) -> Iterator[str]:
    """I8: each transfer sums to zero, each balance to its entries, and no buyer's is below zero."""
    yield from (f"transfer {each} does not sum to zero" for each in journal.ledger.unbalanced)
    yield from (f"account {each} differs from its entries" for each in journal.ledger.wrong)
    yield from (f"account {each} is below zero" for each in journal.ledger.negative)


def priced(facts: Facts, database: Database, journal: Journal) -> Iterator[str]:
    """I12: charged = catalogue price at its version × quantity − discount + shipping quoted."""
    moved = _by_order(journal.transfers)
    for order_id, row in database.orders.items():
        price = database.prices.get((row.sku, row.price_version))
        if price != row.unit_price_minor:
            yield f"order {order_id} has price {row.unit_price_minor}, catalogue version {row.price_version} {price}"
        charged = [each.amount_minor for each in moved[order_id] if each.kind == DEBIT]
        if row.state not in SOLD_STATES or not facts.settled(row) or not charged:
            continue
        quoted = journal.quotes.get(order_id)
        if quoted is None or quoted != row.shipping_minor:
            yield f"order {order_id} has shipping {row.shipping_minor}, quoted {quoted}"
        amount = (price or 0) * row.quantity - row.discount_minor + (quoted or 0)
        if set(charged) != {amount}:
            yield f"order {order_id} was charged {', '.join(map(str, charged))}, owed {amount}"
