"""Invariants of orders: what was promised exists once, what exists was promised, and everything ends."""

from collections.abc import Iterator, Mapping

from kernel.order_states import FAILED_STATES, TERMINAL_STATES, OrderState
from kernel.payment_steps import STARTED, STUCK, TAKING_BACK
from tools.audit.check import SHOWN
from tools.audit.facts import Bucket, Database, Facts, Log
from tools.audit.trace_event import utc

# Of an accepted order nobody but its buyer, its time or its payment may make an end.
REFUSED_STATES = FAILED_STATES - {OrderState.CANCELLED, OrderState.EXPIRED, OrderState.PAYMENT_FAILED}


def kept(facts: Facts, database: Database, log: Log, queued: frozenset[str]) -> Iterator[str]:
    """I4: every order answered QUEUED, and every published one, has its row; none was cancelled unasked, nor refused.

    That it has *exactly* one is the primary key's work: the rows are keyed by order_id. A refusal may be the database's
    right answer to a Redis that came back older than it was; whoever was told QUEUED by it was told wrong all the same.
    """
    cancelled = {each.order_id for each in log.published if each.cancelled}
    for order_id in queued - database.orders.keys():
        yield f"order {order_id} was answered QUEUED and has no row"
    for order_id in queued & cancelled:
        if order_id in database.orders and database.orders[order_id].state == OrderState.CANCELLED:
            yield f"order {order_id} was answered QUEUED and cancelled for want of consent"
    for order_id in queued & database.orders.keys():
        if database.orders[order_id].state in REFUSED_STATES:
            yield f"order {order_id} was answered QUEUED and is {database.orders[order_id].state}"
    if not facts.live:
        for order_id in {each.order_id for each in log.published} - database.orders.keys():
            yield f"order {order_id} was published and has no row"


def no_phantoms(_: Facts, database: Database, log: Log) -> Iterator[str]:
    """I5: every row was published, with the same request hash and the same promotion, as far back as Kafka keeps."""
    records = {each.order_id: each for each in log.published}
    for order_id, row in database.orders.items():
        record = records.get(order_id)
        if record is None:
            if row.accepted_ms >= log.since_ms:
                yield f"row {order_id} was never published"
        elif record.request_hash != row.request_hash:
            yield f"row {order_id} has another request hash than its record"
        elif record.discount_minor != row.discount_minor:
            yield f"row {order_id} has discount {row.discount_minor}, granted {record.discount_minor}"


def outlived(_: Facts, database: Database, log: Log) -> Iterator[str]:
    """Rows that I5 cannot judge any more."""
    records = {each.order_id for each in log.published}
    old = [row for row in database.orders.values() if row.accepted_ms < log.since_ms and row.order_id not in records]
    if old:
        yield f"not judged: {len(old)} rows from before {utc(log.since_ms)}, whose records Kafka no longer keeps"


def unjudged(_: Facts, database: Database, log: Log, queued: frozenset[str]) -> Iterator[str]:
    """Cancels that I4 cannot judge any more: whether the buyer asked for them, Kafka's record alone tells."""
    mine = [row for order_id, row in database.orders.items() if order_id in queued]
    old = [row for row in mine if row.state == OrderState.CANCELLED and row.accepted_ms < log.since_ms]
    if old:
        yield f"not judged: why {len(old)} orders from before {utc(log.since_ms)} were cancelled"


def ended(facts: Facts, database: Database) -> Iterator[str]:
    """I6: every row is terminal or younger than its deadline; stuck ones are named. Quiet: every row is terminal, and
    nothing is still being taken back."""
    stuck = {step.order_id: step.step for step in database.steps if step.state == STUCK}
    for order_id, row in database.orders.items():
        late = row.deadline_ms + facts.grace_ms < facts.now_ms
        if row.state not in TERMINAL_STATES and order_id not in stuck and (late or not facts.live):
            yield f"order {order_id} is still {row.state}"
    for step in database.steps:
        if not facts.live and step.step in TAKING_BACK and step.state == STARTED:
            yield f"order {step.order_id} waits for its {step.step}"


def drained(facts: Facts, database: Database, buckets: Mapping[tuple[int, int], Bucket], log: Log) -> Iterator[str]:
    """I11: the outbox is young, the lag 0 when quiet, and every dead letter is a terminal order or foreign bytes."""
    for (offer, number), has in buckets.items():
        for order_id, created_ms in has.outbox_ms.items():
            if not facts.live or created_ms < facts.now_ms - facts.outbox_bound_ms:
                yield f"order {order_id} is in the outbox of {offer}:{number} for {facts.now_ms - created_ms} ms"
    if not facts.live:
        yield from (f"group {group} is {lag} records behind" for group, lag in log.lag.items() if lag)
    stuck = {step.order_id for step in database.steps if step.state == STUCK}
    for letter in log.dead_letters:
        row = database.orders.get(letter.order_id)
        if row and row.state not in TERMINAL_STATES and not (row.state == "PAID" and letter.order_id in stuck):
            yield f"dead letter of {letter.order_id} on {letter.topic}, and its row is {row.state}"


def foreign(_facts: Facts, _database: Database, _buckets: Mapping[tuple[int, int], Bucket], log: Log) -> Iterator[str]:
    """order_worker dead-letters them: they stand for no order, and break nothing."""
    if log.foreign:
        yield f"records that are no order: {len(log.foreign)}, {', '.join(log.foreign[:SHOWN])}"
