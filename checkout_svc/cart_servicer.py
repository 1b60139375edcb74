"""CartService: protos to the domain and back."""

from collections.abc import Sequence
from typing import Any

from checkout_svc.cart import Action, CartLine, CartStore
from checkout_svc.change_cart import ChangeCart
from checkout_svc.check_cart import ItemRequest, check_change, check_owner
from checkout_svc.show_cart import LineState, ShowCart, ShownLine, totals
from meshkit.money import from_minor
from meshkit.rpc.edge import caller
from peakmesh.checkout.v1 import cart_service_pb2 as pb
from peakmesh.checkout.v1 import cart_service_pb2_grpc as rpc

_STATES = {
    LineState.BUYABLE: pb.CART_LINE_STATE_BUYABLE,
    LineState.NOT_YET_OPEN: pb.CART_LINE_STATE_NOT_YET_OPEN,
    LineState.CLOSED: pb.CART_LINE_STATE_CLOSED,
    LineState.SOLD_OUT: pb.CART_LINE_STATE_SOLD_OUT,
    LineState.UNKNOWN: pb.CART_LINE_STATE_UNKNOWN,
}


class CartServicer(rpc.CartServiceServicer):
    def __init__(self, carts: CartStore, change: ChangeCart, show: ShowCart) -> None:
        self._carts, self._change, self._show = carts, change, show

    async def AddItem(self, request: pb.AddItemRequest, _context: Any) -> pb.AddItemResponse:
        return pb.AddItemResponse(cart=await self._item(Action.ADD, request, request.quantity))

    async def UpdateItem(self, request: pb.UpdateItemRequest, _context: Any) -> pb.UpdateItemResponse:
        return pb.UpdateItemResponse(cart=await self._item(Action.SET, request, request.quantity))

    async def RemoveItem(self, request: pb.RemoveItemRequest, _context: Any) -> pb.RemoveItemResponse:
        return pb.RemoveItemResponse(cart=await self._item(Action.REMOVE, request))

    async def ClearCart(self, request: pb.ClearCartRequest, _context: Any) -> pb.ClearCartResponse:
        who = caller()
        check_change(request, who)
        lines = await self._change(who.user_id, Action.CLEAR, request.request_id.lower())
        return pb.ClearCartResponse(cart=await self._shown(who.user_id, lines))

    async def GetCart(self, _request: pb.GetCartRequest, _context: Any) -> pb.GetCartResponse:
        who = caller()
        check_owner(who)
        return pb.GetCartResponse(cart=await self._shown(who.user_id, await self._carts.read(who.user_id)))

    async def _item(self, action: Action, request: ItemRequest, quantity: int = 0) -> pb.Cart:
        who = caller()
        check_change(request, who)
        lines = await self._change(
            who.user_id, action, request.request_id.lower(), request.sale_id, request.sku, quantity
        )
        return await self._shown(who.user_id, lines)

    async def _shown(self, user_id: str, lines: Sequence[CartLine]) -> pb.Cart:
        shown = await self._show(user_id, lines)
        sums = [from_minor(minor, currency) for currency, minor in sorted(totals(shown).items())]
        return pb.Cart(lines=[_line(each) for each in shown], totals=sums)


def _line(shown: ShownLine) -> pb.CartLine:
    line, offer = shown.line, shown.offer
    answer = pb.CartLine(
        sale_id=line.sale_id,
        sku=line.sku,
        quantity=line.quantity,
        added_unit_price=from_minor(line.price_minor, line.currency),
        added_price_version=line.price_version,
        state=_STATES[shown.state],
    )
    if offer:
        answer.unit_price.CopyFrom(from_minor(offer.price_minor, offer.currency))
        answer.price_version = offer.price_version
        answer.total.CopyFrom(from_minor(shown.total_minor(), offer.currency))
    return answer
