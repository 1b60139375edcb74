"""Carts and their checkout over fakes; the orders go through the real PlaceOrder of bench.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from checkout_svc.cart import Action, CartLimits, CartLine, Checkout, FrozenCart, OfferKey
from checkout_svc.change_cart import ChangeCart
from checkout_svc.checkout_cart import CheckoutCart
from checkout_svc.in_progress import InProgress
from checkout_svc.line_outcome import Outcome, Refusal
from checkout_svc.show_cart import ShowCart
from kernel.offers import Offer
from tests.fakes.carts import FakeCarts
from tests.unit.checkout_svc.bench import ADDRESS, Bench

PHONE = Offer(11, "sale-1", "phone", 1999, "EUR", 1, 250, 1, 1, 5)
CASE = Offer(12, "sale-2", "case", 500, "EUR", 1, 50, 1, 1, 5)


class Killed(BaseException):
    """The process ends here, as by kill -9: nothing catches it."""


@dataclass
class MortalCarts(FakeCarts):
    """Runs a hook around each settling; a test dies in it."""

    before_settle: Callable[[], None] = field(default=lambda: None)
    after_settle: Callable[[], None] = field(default=lambda: None)

    def __post_init__(self) -> None:
        super().__init__(CartLimits())

    async def settle(self, user_id: str, request_id: str, outcomes: Mapping[OfferKey, Outcome]) -> FrozenCart:
        self.before_settle()
        settled = await super().settle(user_id, request_id, outcomes)
        self.after_settle()
        return settled


def die() -> None:
    raise Killed


def checkout(request_id: str = "", user: str = "ana", body: str = "body") -> Checkout:
    return Checkout(user, request_id or str(uuid4()), body, ADDRESS)


@dataclass
class CartBench(Bench):
    carts: MortalCarts = field(default_factory=MortalCarts)
    most: int = 100

    def start(self, budget: float = 0.05) -> None:
        super().start(budget)
        in_progress = InProgress(self.most)
        self.checkout_cart = CheckoutCart(self.carts, self.place, in_progress)
        self.change = ChangeCart(self.carts, self.offers)
        self.show = ShowCart(self.offers, self.stock)

    async def reopen(self, offer: Offer, units: int) -> None:
        self.registry[offer.sale_id, offer.sku] = offer
        await self.open(units, offer)

    async def add(self, offer: Offer, quantity: int = 1, user: str = "ana") -> list[CartLine]:
        return await self.change(user, Action.ADD, str(uuid4()), offer.sale_id, offer.sku, quantity)

    async def reserved(self, offer: Offer) -> int:
        """Units that orders hold of an offer."""
        counters = await self.stock.counters(offer.offer_no, 0)
        assert counters is not None
        return counters.reserved

    async def left(self, user: str = "ana") -> list[tuple[str, int]]:
        return [(line.sku, line.quantity) for line in await self.carts.read(user)]


async def stocked(phones: int = 5, cases: int = 5, **parts: Any) -> CartBench:
    """Ana has two phones and a case in her cart."""
    bench = CartBench(**parts)
    await bench.reopen(PHONE, phones)
    await bench.reopen(CASE, cases)
    await bench.add(PHONE, 2)
    await bench.add(CASE)
    return bench


def told(lines: list[tuple[CartLine, Outcome]]) -> list[tuple[str, str]]:
    """(sku, reason, or QUEUED or PENDING) a line."""
    return [
        (line.sku, outcome.reason if isinstance(outcome, Refusal) else "QUEUED" if outcome.queued else "PENDING")
        for line, outcome in lines
    ]
