"""CartStore in memory, held to the suite of the Redis adapter (tests/integration/checkout_svc/cart_suite.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from checkout_svc.cart import Action, CartLimits, CartLine, Change, FrozenCart, OfferKey
from checkout_svc.cart_store import cart_full
from checkout_svc.line_outcome import Outcome, decode, encode
from checkout_svc.purchase import Answer
from meshkit.errors import CartEmpty, CartLineNotFound, DependencyUnavailable, Overloaded, RequestIdReused


@dataclass
class _Cart:
    lines: dict[OfferKey, CartLine] = field(default_factory=dict)
    serial: int = 0
    recent: dict[str, str] = field(default_factory=dict)
    frozen: dict[str, tuple[str, FrozenCart]] = field(default_factory=dict)


class FakeCarts:
    """While `down`, every call raises DependencyUnavailable and does nothing."""

    def __init__(self, limits: CartLimits) -> None:
        self.down = False
        self._limits = limits
        self._carts: dict[str, _Cart] = {}

    def _of(self, user_id: str) -> _Cart:
        if self.down:
            raise DependencyUnavailable("redis")
        return self._carts.setdefault(user_id, _Cart())

    async def read(self, user_id: str) -> list[CartLine]:
        return list(self._of(user_id).lines.values())

    async def change(self, user_id: str, change: Change) -> list[CartLine]:
        cart, body = self._of(user_id), change.body()
        first = cart.recent.get(change.request_id)
        if first is not None and first != body:
            raise RequestIdReused("this request_id was used for another change")
        if first is None:
            self._apply(cart, change)
            cart.recent[change.request_id] = body
        return list(cart.lines.values())

    def _apply(self, cart: _Cart, change: Change) -> None:
        if change.line is None:
            cart.lines.clear()
        elif change.action is Action.REMOVE:
            cart.lines.pop(change.line.offer, None)
        else:
            self._put(cart, change.action, change.line)

    def _put(self, cart: _Cart, action: Action, line: CartLine) -> None:
        held = cart.lines.get(line.offer)
        if held is None and action is Action.SET:
            raise CartLineNotFound("the cart has no such line")
        units = line.quantity + (held.quantity if held and action is Action.ADD else 0)
        if units > self._limits.units:
            raise cart_full(self._limits.units)
        if held is None and len(cart.lines) >= self._limits.lines:
            raise cart_full(self._limits.lines)
        cart.serial += held is None
        cart.lines[line.offer] = replace(line, quantity=units, number=held.number if held else cart.serial)

    async def freeze(self, user_id: str, request_id: str, body: str) -> FrozenCart:
        cart = self._of(user_id)
        first = cart.frozen.get(request_id)
        if first is None:
            if not cart.lines:
                raise CartEmpty("there is nothing in the cart")
            if len(cart.frozen) >= self._limits.frozen:
                raise Overloaded("too many checkouts were begun", retry_after=1.0)
            first = cart.frozen[request_id] = (body, FrozenCart(list(cart.lines.values())))
        elif first[0] != body:
            raise RequestIdReused("this request_id was used with another body")
        return _copy(first[1])

    async def settle(self, user_id: str, request_id: str, outcomes: Mapping[OfferKey, Outcome]) -> FrozenCart:
        cart = self._of(user_id)
        if request_id not in cart.frozen:
            return FrozenCart([])
        frozen = cart.frozen[request_id][1]
        copies = {line.offer: line for line in frozen.lines}
        for offer, outcome in outcomes.items():
            before = frozen.outcomes.get(offer)
            ordered = isinstance(outcome, Answer)
            if offer in copies and (before is None or (ordered and not isinstance(before, Answer))):
                frozen.outcomes[offer] = decode(encode(outcome))
                if ordered:
                    _take(cart, copies[offer])
        return _copy(frozen)


def _take(cart: _Cart, copy: CartLine) -> None:
    held = cart.lines.get(copy.offer)
    if held is None or held.number != copy.number:
        return
    if held.quantity > copy.quantity:
        cart.lines[copy.offer] = replace(held, quantity=held.quantity - copy.quantity)
    else:
        del cart.lines[copy.offer]


def _copy(frozen: FrozenCart) -> FrozenCart:
    return FrozenCart(list(frozen.lines), dict(frozen.outcomes))
