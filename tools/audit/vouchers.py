"""The invariant of vouchers: never over the budget, and given for nothing but what was paid or is being bought."""

from collections import Counter
from collections.abc import Iterator, Mapping

from kernel.order_states import OPEN_STATES, SOLD_STATES, OrderState
from kernel.vouchers.records import HoldState
from tools.audit.facts import Database, Facts, OrderRow, VoucherBook

Vouchers = Mapping[str, VoucherBook | None]
# promo_svc looks every 2 s at what has expired.
LOOKED_AT_MS = 15_000


def limited(_: Database, vouchers: Vouchers) -> bool:
    return any(vouchers.values())


def lost(_: Facts, database: Database, vouchers: Vouchers) -> Iterator[str]:
    """Vouchers that orders have and Redis has no book of. promo_svc makes it anew from the rows; till then nobody knows
    what was given."""
    for code in (code for code, book in vouchers.items() if book is None):
        orders = sum(_carries(row, code, OPEN_STATES | SOLD_STATES) for row in database.orders.values())
        if orders:
            yield f"voucher {code}: Redis has lost its book, and {orders} orders have it"


def budgeted(facts: Facts, database: Database, vouchers: Vouchers) -> Iterator[str]:
    """I13: within budget and uses; counters equal the grants; committed = paid; held = open, or not expired yet."""
    for code, book in vouchers.items():
        if book is None:
            continue
        yield from _over(code, book)
        yield from _miscounted(code, book)
        yield from _ungranted(facts, database, code, book)
        yield from _groundless(facts, database, code, book)


def _over(code: str, book: VoucherBook) -> Iterator[str]:
    has, limits = book.counters, book.counters.limits
    minor, grants = has.held_minor + has.committed_minor, has.held_grants + has.committed_grants
    if limits.budget_minor is not None and minor > limits.budget_minor:
        yield f"voucher {code} has given {minor}, its budget is {limits.budget_minor}"
    if limits.budget_grants is not None and grants > limits.budget_grants:
        yield f"voucher {code} has {grants} grants, its budget is {limits.budget_grants}"
    if limits.uses_per_user is not None:
        for user, uses in book.uses.items():
            if uses > limits.uses_per_user:
                yield f"user {user} has {uses} uses of voucher {code}, {limits.uses_per_user} are allowed"


def _miscounted(code: str, book: VoucherBook) -> Iterator[str]:
    has = book.counters
    held = [each.amount_minor for each in book.holds.values() if each.state is HoldState.HELD]
    committed = [each.amount_minor for each in book.holds.values() if each.state is HoldState.COMMITTED]
    counters = (has.held_minor, has.held_grants, has.committed_minor, has.committed_grants)
    counted = (sum(held), len(held), sum(committed), len(committed))
    if counters != counted:
        yield f"voucher {code}: (held, grants, committed, grants) is {counters}, by its grants {counted}"
    if Counter(each.user_id for each in book.holds.values()) != book.uses:
        yield f"voucher {code}: the users' uses differ from their grants"


def _ungranted(facts: Facts, database: Database, code: str, book: VoucherBook) -> Iterator[str]:
    """Committed = the discounts of paid rows, seen from the rows: each has its grant, of its amount."""
    for order_id, row in database.orders.items():
        if not _carries(row, code, SOLD_STATES) or not facts.settled(row):
            continue
        hold = book.holds.get(order_id)
        if hold is None or hold.state is not HoldState.COMMITTED:
            yield f"order {order_id} is {row.state} with voucher {code}, its grant {hold.state if hold else 'missing'}"
        elif hold.amount_minor != row.discount_minor:
            yield f"order {order_id} has discount {row.discount_minor}, voucher {code} gave {hold.amount_minor}"


def _groundless(facts: Facts, database: Database, code: str, book: VoucherBook) -> Iterator[str]:
    """The same, seen from the grants: committed only for a paid row; held past its time only for an open one."""
    for order_id, hold in book.holds.items():
        row = database.orders.get(order_id)
        if order_id in book.elsewhere or (row is not None and not facts.settled(row)):
            continue
        state = row.state if row else "missing"
        # SQL is read first: at work, an order may have been written and paid since.
        moved = facts.live and (row is None or row.state in OPEN_STATES)
        if hold.state is HoldState.COMMITTED and not moved and not _carries(row, code, SOLD_STATES):
            yield f"voucher {code} is committed for order {order_id}, whose row is {state}"
        late = hold.expires_ms + LOOKED_AT_MS < facts.now_ms
        if hold.state is HoldState.HELD and late and not _carries(row, code, OPEN_STATES):
            yield f"voucher {code} is held for order {order_id} past its time, and its row is {state}"


def _carries(row: OrderRow | None, code: str, states: frozenset[OrderState]) -> bool:
    return row is not None and row.voucher_code == code and row.state in states
