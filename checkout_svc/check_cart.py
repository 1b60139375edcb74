"""Requests of CartService and CheckoutCart, checked."""

import json
from hashlib import blake2b

from checkout_svc.cart import Checkout
from checkout_svc.check_request import check_address, check_voucher
from meshkit.identity import Identity
from meshkit.rpc.fields import Fields
from peakmesh.checkout.v1 import cart_service_pb2 as cart_pb
from peakmesh.checkout.v1 import checkout_service_pb2 as pb

ItemRequest = cart_pb.AddItemRequest | cart_pb.UpdateItemRequest | cart_pb.RemoveItemRequest


def check_owner(who: Identity) -> None:
    """Raises InvalidFields: the token's subject goes into Redis keys like every other id."""
    fields = Fields()
    fields.ident("token.sub", who.user_id)
    fields.check()


def check_change(request: ItemRequest | cart_pb.ClearCartRequest, who: Identity) -> None:
    """Raises InvalidFields with every field that is wrong."""
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    if not isinstance(request, cart_pb.ClearCartRequest):
        fields.ident("sale_id", request.sale_id)
        fields.ident("sku", request.sku)
    if isinstance(request, cart_pb.AddItemRequest | cart_pb.UpdateItemRequest):
        fields.between("quantity", request.quantity, 1, 100)
    fields.ident("token.sub", who.user_id)
    fields.check()


def to_checkout(request: pb.CheckoutCartRequest, who: Identity) -> Checkout:
    """Raises InvalidFields with every field that is wrong."""
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    check_voucher(fields, request.voucher_code, request.require_promotion)
    check_address(fields, request.shipping_address)
    fields.ident("token.sub", who.user_id)
    fields.check()
    return Checkout(
        user_id=who.user_id,
        request_id=request.request_id.lower(),
        body=_body(request),
        address=request.shipping_address,
        voucher_code=request.voucher_code,
        require_promotion=request.require_promotion,
    )


def _body(request: pb.CheckoutCartRequest) -> str:
    """32 hex digits over what a checkout says; the lines are the cart's."""
    address = request.shipping_address
    fields = [
        request.voucher_code,
        request.require_promotion,
        [address.recipient, address.street, address.city, address.postal_code, address.country_code],
    ]
    return blake2b(json.dumps(fields, separators=(",", ":")).encode(), digest_size=16).hexdigest()
