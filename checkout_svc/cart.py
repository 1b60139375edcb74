"""A buyer's cart and its checkout, in the domain's own words, and the store they are kept in. Money in minor units."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from checkout_svc.line_outcome import Outcome
from peakmesh.order.v1.order_pb2 import ShippingAddress

# (sale_id, sku): a cart has one line of it at most.
OfferKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CartLine:
    """What is wanted, and the price it was last added or updated at.

    `number` is given by the store and never twice in a cart: a line taken out and added anew is another line, which a
    checkout of the first must not shorten.
    """

    sale_id: str
    sku: str
    quantity: int
    price_minor: int
    currency: str
    price_version: int
    number: int = 0

    @property
    def offer(self) -> OfferKey:
        return self.sale_id, self.sku


class Action(StrEnum):
    ADD = "ADD"
    SET = "SET"
    REMOVE = "REMOVE"
    CLEAR = "CLEAR"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a cart, as its buyer asked for it; the price of `line` is the current one."""

    action: Action
    request_id: str
    line: CartLine | None = None

    def body(self) -> str:
        """16 hex digits over what was asked; not over the price, which a retry may find changed."""
        asked = [self.line.sale_id, self.line.sku, self.line.quantity] if self.line else []
        return blake2b(json.dumps([self.action, *asked]).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checked request to buy the cart; `body` tells a retry from a reused request_id."""

    user_id: str
    request_id: str
    body: str
    address: ShippingAddress
    voucher_code: str = ""
    require_promotion: bool = False


@dataclass(frozen=True, slots=True)
class FrozenCart:
    """The lines as they were at the first call of a checkout, and the final outcomes so far."""

    lines: list[CartLine]
    outcomes: dict[OfferKey, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CartLimits:
    """`frozen`: checkouts a user may begin within `frozen_seconds`; each keeps its lines so long.

    Carts live beside the stock, in a Redis that evicts nothing: whatever a user can make there has a bound.
    """

    lines: int = 50
    units: int = 100
    seconds: int = 7 * 86_400
    frozen: int = 100
    frozen_seconds: int = 86_400


class CartStore(Protocol):
    """Carts by user. One suite holds the Redis adapter and the tests' fake to it.

    Every method raises DependencyUnavailable("redis") when Redis did not answer: the outcome is then unknown, and the
    same call may be repeated. Lines come in the order they were first added.
    """

    async def read(self, user_id: str) -> list[CartLine]: ...

    async def change(self, user_id: str, change: Change) -> list[CartLine]:
        """The cart after it. A change done before is not done again.

        Raises RequestIdReused, CartFull, or CartLineNotFound (SET alone); then nothing has changed.
        """

    async def freeze(self, user_id: str, request_id: str, body: str) -> FrozenCart:
        """The lines as they are now; under a request_id seen before, as they were then.

        Raises CartEmpty, RequestIdReused, or Overloaded when the user has begun too many checkouts.
        """

    async def settle(self, user_id: str, request_id: str, outcomes: Mapping[OfferKey, Outcome]) -> FrozenCart:
        """Stores final outcomes and takes what was ordered out of the cart, all at once.

        The first outcome of a line stands, except that an order outdoes a refusal: it exists. Its units leave the cart
        when it is stored, hence once. The answer is what stands; empty when the frozen cart has expired.
        """
