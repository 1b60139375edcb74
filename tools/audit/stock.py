"""Invariants of stock: conserved in Redis, in the database, and between the two."""

from collections import Counter
from collections.abc import Iterator, Mapping

from kernel.order_states import OPEN_STATES, SOLD_STATES, OrderState
from tools.audit.facts import UNSOLD_STATES, Bucket, Database, Facts, OrderRow

Buckets = Mapping[tuple[int, int], Bucket]
MISSING = "missing"


def conserved(facts: Facts, database: Database, buckets: Buckets) -> Iterator[str]:
    """I1: initial = available + reserved + sold, in each system; equal in both when quiet."""
    for (offer, bucket), has in buckets.items():
        if has.initial != has.available + has.reserved + has.sold:
            yield (
                f"offer {offer}:{bucket} in Redis: {has.initial} units, but {has.available} available"
                f" + {has.reserved} reserved + {has.sold} sold"
            )
    for row in database.offers:
        if row.initial < row.reserved + row.sold:
            yield f"offer {row.offer_no} in SQL: {row.initial} units, but {row.reserved} reserved + {row.sold} sold"
        mine = [has for (offer, _), has in buckets.items() if offer == row.offer_no]
        if not mine:
            yield f"offer {row.offer_no}: Redis has lost its stock; it sells nothing until `peakmesh stock rebuild`"
            continue
        redis = tuple(sum(getattr(has, what) for has in mine) for what in ("initial", "reserved", "sold"))
        if not facts.live and redis != (row.initial, row.reserved, row.sold):
            sql = (row.initial, row.reserved, row.sold)
            yield f"offer {row.offer_no}: (initial, reserved, sold) is {redis} in Redis and {sql} in SQL"


def counted(facts: Facts, database: Database, buckets: Buckets) -> Iterator[str]:
    """I2: none below zero; counters and limits equal the reservations; every R is open, in the outbox, or young."""
    for (offer, number), has in buckets.items():
        place = f"offer {offer}:{number}"
        below = [what for what in ("available", "reserved", "sold", "trimmed") if getattr(has, what) < 0]
        if below:
            yield f"{place}: below zero: {', '.join(below)}"
        held = {state: sum(r.quantity for r in has.reservations.values() if r.state == state) for state in "RS"}
        if held["R"] != has.reserved:
            yield f"{place}: reserved is {has.reserved}, reservations sum to {held['R']}"
        if held["S"] + has.trimmed != has.sold:
            yield f"{place}: sold is {has.sold}, reservations sum to {held['S']} and {has.trimmed} were trimmed"
        yield from _miscounted(place, has)
        for order_id, each in has.reservations.items():
            if each.state != "R" or order_id in has.outbox_ms or not facts.old(each.created_ms):
                continue
            row = database.orders.get(order_id)
            if row is None or (row.state not in OPEN_STATES and facts.settled(row)):
                yield f"reservation {order_id} is held, but its row is {row.state if row else 'missing'}"


def _miscounted(place: str, has: Bucket) -> Iterator[str]:
    """Each user's limit counts what the user reserved and bought. A trimmed reservation goes and its units stay counted
    (the buyer has them), so a limit may be above its reservations, and all of them by as much as was trimmed."""
    held: dict[str, int] = dict.fromkeys(has.limits, 0)
    for each in has.reservations.values():
        if each.state != "X":
            held[each.user_id] = held.get(each.user_id, 0) + each.quantity
    for user, quantity in held.items():
        counted, whole = has.limits.get(user, 0), has.trimmed == 0
        if counted < quantity or (whole and counted > quantity):
            yield f"{place}: the limit of {user} counts {counted}, reservations sum to {quantity}"
    more = sum(has.limits.values()) - sum(held.values())
    if has.trimmed and more != has.trimmed:
        yield f"{place}: limits count {more} more than the reservations, and {has.trimmed} were trimmed"


def snapshot(_: Facts, database: Database) -> Iterator[str]:
    """I3: the offers' counters equal the sums over their rows."""
    for offer in database.offers:
        mine = [row for row in database.orders.values() if row.offer_no == offer.offer_no]
        sold = sum(row.quantity for row in mine if row.state in SOLD_STATES)
        reserved = sum(row.quantity for row in mine if row.state in OPEN_STATES)
        if (sold, reserved) != (offer.sold, offer.reserved):
            counters = (offer.sold, offer.reserved)
            yield f"offer {offer.offer_no}: (sold, reserved) is {counters}, by its rows {(sold, reserved)}"


def followed(facts: Facts, database: Database, buckets: Buckets) -> Iterator[str]:
    """I9: an open order holds its stock, a failed one none; a paid one is sold, or trimmed once it is done."""
    held = {order_id: each for has in buckets.values() for order_id, each in has.reservations.items()}
    known = {offer for offer, _ in buckets}
    trimmed: Counter[int] = Counter()
    for order_id, row in database.orders.items():
        # Without any bucket its offer's stock is lost, which I1 tells.
        if row.offer_no not in known or not facts.settled(row):
            continue
        state = held[order_id].state if order_id in held else MISSING
        if row.state == OrderState.TO_SHIP and state == MISSING:
            trimmed[row.offer_no] += row.quantity
        elif state not in _follows(row):
            yield f"order {order_id} is {row.state}, its reservation {state}"
    for offer, units in trimmed.items():
        counted = sum(has.trimmed for (number, _), has in buckets.items() if number == offer)
        if units > counted:
            yield f"offer {offer}: {units} units sold without a reservation, and {counted} were trimmed"


def _follows(row: OrderRow) -> tuple[str, ...]:
    """What the reservation may be. Trimmed are those of rows that have ended, and none that is still to be paid for."""
    if row.state in OPEN_STATES:
        return ("R",)
    return ("X", MISSING) if row.state in UNSOLD_STATES else ("S",)


def within_limit(_: Facts, database: Database) -> Iterator[str]:
    """I10: what each user holds and bought, recomputed from the rows, is within the offer's limit."""
    limits = {offer.offer_no: offer.unit_limit for offer in database.offers}
    held: dict[tuple[str, int], int] = {}
    for row in database.orders.values():
        if row.state in OPEN_STATES | SOLD_STATES:
            place = (row.user_id, row.offer_no)
            held[place] = held.get(place, 0) + row.quantity
    for (user, offer), quantity in held.items():
        if offer in limits and quantity > limits[offer]:
            yield f"user {user} has {quantity} of offer {offer}, the limit is {limits[offer]}"
