"""Invariants of money: charged once, to the right buyer, the right amount, by the provider's own journal."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from kernel.order_states import SOLD_STATES, OrderState
from kernel.payment_steps import AFTER_PIVOT, BOOKING, COINS, CREDIT, INVOICE, REVOKE, STUCK, UNBOOK
from tools.audit.facts import UNSOLD_STATES, Database, Debit, Facts, Journal, OrderRow

SETTLING = frozenset(AFTER_PIVOT)
_TAKES_BACK = {UNBOOK: BOOKING, CREDIT: INVOICE, REVOKE: COINS}


def charged_once(facts: Facts, database: Database, journal: Journal) -> Iterator[str]:
    """I7: one debit for a paid order, of its payer, and each step journalled for a done one; a failed order, and one
    that was given back, keeps neither money nor goods."""
    moved: dict[str, list[Debit]] = defaultdict(list)
    for debit in journal.debits:
        moved[debit.order_id].append(debit)
    # What a provider refuses to take back is listed as stuck; somebody must look at it, and knows.
    stuck: dict[str, set[str]] = defaultdict(set)
    for step in database.steps:
        if step.state == STUCK and step.step in _TAKES_BACK:
            stuck[step.order_id].add(_TAKES_BACK[step.step])
    for order_id, row in database.orders.items():
        if facts.settled(row.updated_ms):
            yield from _misjudged(row, moved[order_id])
            has = journal.settled.get(order_id, frozenset()) - journal.taken_back.get(order_id, frozenset())
            if row.state == OrderState.TO_SHIP and SETTLING - has:
                yield f"order {order_id} is TO_SHIP without {', '.join(sorted(SETTLING - has))}"
            if row.state in UNSOLD_STATES and has - stuck[order_id]:
                yield f"order {order_id} is {row.state} and keeps its {', '.join(sorted(has - stuck[order_id]))}"
    if not facts.live:
        for order_id in moved.keys() - database.orders.keys():
            yield f"order {order_id} was charged and has no row"


def _misjudged(row: OrderRow, moved: Sequence[Debit]) -> Iterator[str]:
    """`moved`: the debits of this order that took money, given back or not."""
    kept = [debit for debit in moved if not debit.refunded]
    if len(moved) > 1:
        yield f"order {row.order_id} was debited {len(moved)} times"
    if row.state in SOLD_STATES and len(kept) != 1:
        yield f"order {row.order_id} is {row.state} with {len(kept)} debits"
    if row.state in UNSOLD_STATES and kept:
        yield f"order {row.order_id} is {row.state} and was charged"
    for debit in kept:
        if debit.user_id != row.user_id:
            yield f"order {row.order_id} of {row.user_id} was charged to {debit.user_id}"


def balanced(_: Facts, journal: Journal) -> Iterator[str]:
    """I8: each transfer sums to zero, each balance to its entries, and no buyer's is below zero."""
    yield from (f"transfer {each} does not sum to zero" for each in journal.ledger.unbalanced)
    yield from (f"account {each} differs from its entries" for each in journal.ledger.wrong)
    yield from (f"account {each} is below zero" for each in journal.ledger.negative)


def priced(facts: Facts, database: Database, journal: Journal) -> Iterator[str]:
    """I12: charged = catalogue price at its version × quantity − discount + shipping quoted."""
    charged = {debit.order_id: debit.amount_minor for debit in journal.debits if not debit.refunded}
    for order_id, row in database.orders.items():
        price = database.prices.get((row.sku, row.price_version))
        if price != row.unit_price_minor:
            yield f"order {order_id} has price {row.unit_price_minor}, catalogue version {row.price_version} {price}"
        if row.state not in SOLD_STATES or not facts.settled(row.updated_ms) or order_id not in charged:
            continue
        quoted = journal.quotes.get(order_id)
        if quoted is None or quoted != row.shipping_minor:
            yield f"order {order_id} has shipping {row.shipping_minor}, quoted {quoted}"
        amount = (price or 0) * row.quantity - row.discount_minor + (quoted or 0)
        if charged[order_id] != amount:
            yield f"order {order_id} was charged {charged[order_id]}, owed {amount}"
