"""What payment must know of an order, read from OrderCreated."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from kernel.carried import CORE, CRITICALITY, TRACE
from meshkit.errors import Undecodable
from meshkit.kafka.publisher import Headers
from meshkit.money import CURRENCIES
from meshkit.rpc import criticality
from meshkit.rpc.client import Metadata
from meshkit.rpc.criticality import Criticality
from meshkit.tracing import valid
from peakmesh.event.v1 import events_pb2 as events
from peakmesh.order.v1 import order_pb2

_SHEDDABLE = Criticality.SHEDDABLE.value.encode()


@dataclass(frozen=True, slots=True)
class Order:
    """An order the database has accepted. Money in minor units of `currency`, weight in grams. `carried`: the headers
    that go on with it."""

    order_id: str
    user_id: str
    goods_minor: int
    currency: str
    weight_grams: int
    address: order_pb2.ShippingAddress
    carried: Headers = (CORE,)

    @property
    def metadata(self) -> Metadata:
        """Of the calls that are made for it: what its headers say, where that can be said."""
        told = dict(self.carried)
        worth = Criticality.SHEDDABLE if told.get(CRITICALITY) == _SHEDDABLE else Criticality.CORE
        # Foreign bytes: what is no trace would make every call of the order fail.
        trace = valid(told.get(TRACE, b"").decode(errors="replace"))
        traced = (("traceparent", trace),) if trace else ()
        return ((criticality.HEADER, worth.value), *traced)

    def amount(self, shipping_minor: int) -> int:
        return self.goods_minor + shipping_minor


def decode_order(value: bytes, headers: Headers = (CORE,)) -> Order:
    """Raises Undecodable where the bytes are no OrderCreated, or one that cannot be paid for."""
    try:
        row = events.OrderCreated.FromString(value).order
    except DecodeError as error:
        raise Undecodable(f"not an OrderCreated: {error}") from None
    goods = row.unit_price_minor * row.quantity - row.discount_minor
    if not row.order_id or not row.user_id or row.quantity < 1 or goods < 0 or row.currency not in CURRENCIES:
        raise Undecodable("OrderCreated lacks an order_id, a user_id, a quantity, a currency or a price")
    weight = row.unit_weight_grams * row.quantity
    return Order(row.order_id, row.user_id, goods, row.currency, weight, row.shipping_address, headers)
