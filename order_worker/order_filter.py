"""Which of a buyer's orders are asked for, and their page tokens."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from kernel.order_ids import offer_of
from meshkit.errors import InvalidFields
from meshkit.rpc import pages
from meshkit.rpc.fields import Fields
from peakmesh.order.v1 import order_pb2 as pb

_PREFIX = "ORDER_STATE_"
_WITHOUT_ROW = frozenset({pb.ORDER_STATE_PENDING, pb.ORDER_STATE_QUEUED})
_ORDER_ID_BYTES, _MARK_BYTES = 16, 4


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """`states`: names as on the wire, empty for all; accepted from `from_ms` on and before `until_ms`."""

    states: frozenset[str] = frozenset()
    from_ms: int | None = None
    until_ms: int | None = None

    def mark(self) -> bytes:
        """Tells the filters of a page token apart. Empty without any: tokens of before there were filters stay good."""
        if self == _ALL:
            return b""
        words = f"{sorted(self.states)} {self.from_ms} {self.until_ms}"
        return hashlib.sha256(words.encode()).digest()[:_MARK_BYTES]


_ALL = OrderFilter()


def states_of(fields: Fields, field: str, numbers: Iterable["pb.OrderState.ValueType"]) -> frozenset[str]:
    """Names without their prefix; what is wrong goes into `fields`."""
    asked = frozenset(numbers)
    known = asked <= frozenset(pb.OrderState.values()) - {pb.ORDER_STATE_UNSPECIFIED}
    fields.require(known, field, "must be states of an order")
    fields.require(not asked & _WITHOUT_ROW, field, "PENDING and QUEUED are not listed: GetOrder tells of them")
    if not known:
        return frozenset()
    return frozenset(pb.OrderState.Name(number).removeprefix(_PREFIX) for number in asked)


def make_token(order_id: str, which: OrderFilter = _ALL) -> str:
    """Opaque: the last order of the page, so that new orders neither shift nor repeat what follows."""
    raw = bytes.fromhex(order_id.replace("-", "")) + which.mark()
    return pages.write_token(raw)


def read_token(token: str, which: OrderFilter = _ALL) -> str:
    """The order_id in a token, empty for an empty one. Raises InvalidFields, for other filters' tokens too."""
    if not token:
        return ""
    raw = pages.read_token(token)
    try:
        digits, mark = raw[:_ORDER_ID_BYTES].hex(), raw[_ORDER_ID_BYTES:]
        order_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        offer_of(order_id)
    except ValueError:
        raise pages.foreign_token() from None
    if mark != which.mark():
        raise InvalidFields([("page_token", "is of a list with other filters")])
    return order_id
