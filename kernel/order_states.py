"""States of an order's row, the legal moves between them, and what each state holds of the stock."""

from enum import StrEnum


class OrderState(StrEnum):
    CREATED = "CREATED"
    PAID = "PAID"
    TO_SHIP = "TO_SHIP"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    REJECTED_OVERSOLD = "REJECTED_OVERSOLD"
    REJECTED_LIMIT = "REJECTED_LIMIT"
    REJECTED_DUPLICATE = "REJECTED_DUPLICATE"
    REJECTED_STALE_EPOCH = "REJECTED_STALE_EPOCH"
    FAILED_DLQ = "FAILED_DLQ"


class StockClass(StrEnum):
    """Which counter of its offer a row's quantity is part of."""

    RESERVED = "reserved"
    SOLD = "sold"
    NONE = "none"


OPEN_STATES = frozenset({OrderState.CREATED})
SOLD_STATES = frozenset({OrderState.PAID, OrderState.TO_SHIP})
# Nothing moves on from there by itself. TO_SHIP alone has a way out, and only a cancel takes it.
TERMINAL_STATES = frozenset(OrderState) - {OrderState.CREATED, OrderState.PAID}
FAILED_STATES = TERMINAL_STATES - {OrderState.TO_SHIP, OrderState.REFUNDED}

# CREATED -> TO_SHIP: SETTLED implies PAID, and may overtake it after a redelivery.
# A failed state has no way out: a charge that meets it is refunded by a payment step, and the row stays failed.
MOVES: dict[OrderState, frozenset[OrderState]] = {
    OrderState.CREATED: frozenset(
        {
            OrderState.PAID,
            OrderState.TO_SHIP,
            OrderState.PAYMENT_FAILED,
            OrderState.EXPIRED,
            OrderState.CANCELLED,
            OrderState.FAILED_DLQ,
        }
    ),
    OrderState.PAID: frozenset({OrderState.TO_SHIP, OrderState.REFUNDED}),
    OrderState.TO_SHIP: frozenset({OrderState.REFUNDED}),
}


def legal(old: OrderState, new: OrderState) -> bool:
    """Whether a row may move so. Staying is not a move."""
    return new in MOVES.get(old, frozenset())


def stock_class(state: OrderState | None) -> StockClass:
    """What the state holds; None stands for "no row yet"."""
    if state in OPEN_STATES:
        return StockClass.RESERVED
    return StockClass.SOLD if state in SOLD_STATES else StockClass.NONE


def counter_delta(old: OrderState | None, new: OrderState, quantity: int) -> tuple[int, int]:
    """(reserved, sold) to add to the offer in the transaction of the compare-and-set old -> new."""
    before, after = stock_class(old), stock_class(new)
    reserved = (after is StockClass.RESERVED) - (before is StockClass.RESERVED)
    sold = (after is StockClass.SOLD) - (before is StockClass.SOLD)
    return reserved * quantity, sold * quantity
