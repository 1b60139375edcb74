"""Add, update, remove, clear: the line takes the price the offer has now, which the answer shows."""

from checkout_svc.cart import Action, CartLine, CartStore, Change
from checkout_svc.offer_registry import OfferRegistry


class ChangeCart:
    """Returns the lines after the change. Raises what CartStore.change raises."""

    def __init__(self, carts: CartStore, offers: OfferRegistry) -> None:
        self._carts, self._offers = carts, offers

    async def __call__(
        self, user_id: str, action: Action, request_id: str, sale_id: str = "", sku: str = "", quantity: int = 0
    ) -> list[CartLine]:
        """`quantity`: of ADD and SET, which raise OfferNotFound too."""
        line: CartLine | None = None
        if action in (Action.ADD, Action.SET):
            offer = await self._offers.find(sale_id, sku)
            line = CartLine(sale_id, sku, quantity, offer.price_minor, offer.currency, offer.price_version)
        elif action is Action.REMOVE:
            line = CartLine(sale_id, sku, 0, 0, "", 0)
        return await self._carts.change(user_id, Change(action, request_id, line))
