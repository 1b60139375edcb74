"""A request of PlaceOrder, checked, as a Purchase."""

from checkout_svc.purchase import Purchase, purchase_of
from meshkit.identity import Identity, Role
from meshkit.rpc.fields import Fields
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from peakmesh.order.v1.order_pb2 import ShippingAddress


def to_purchase(request: pb.PlaceOrderRequest, who: Identity) -> Purchase:
    """Raises InvalidFields with every field that is wrong."""
    _check(request, who)
    if request.buyer_id:
        return purchase_of(request, request.buyer_id, placed_by=who.user_id)
    return purchase_of(request, who.user_id)


def _check(request: pb.PlaceOrderRequest, who: Identity) -> None:
    fields = Fields()
    fields.ident("sale_id", request.sale_id)
    fields.ident("sku", request.sku)
    fields.between("quantity", request.quantity, 1, 100)
    fields.uuid("request_id", request.request_id)
    fields.between("price_version", request.price_version, 1, 2**31 - 1)
    check_voucher(fields, request.voucher_code, request.require_promotion)
    check_address(fields, request.shipping_address)
    if request.buyer_id and who.role is not Role.SERVICE:
        fields.require(False, "buyer_id", "role service alone may name a buyer")
    elif request.buyer_id:
        fields.ident("buyer_id", request.buyer_id)
    else:
        # The token's subject goes into Redis keys like every other id.
        fields.ident("token.sub", who.user_id)
    fields.check()


def check_voucher(fields: Fields, code: str, required: bool) -> None:
    if code:
        fields.ident("voucher_code", code)
    fields.require(bool(code) or not required, "require_promotion", "needs a voucher_code")


def check_address(fields: Fields, address: ShippingAddress) -> None:
    fields.text("shipping_address.recipient", address.recipient, 1, 100)
    fields.text("shipping_address.street", address.street, 1, 200)
    fields.text("shipping_address.city", address.city, 1, 100)
    fields.text("shipping_address.postal_code", address.postal_code, 1, 16)
    country = address.country_code
    good = len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    fields.require(good, "shipping_address.country_code", "must be an ISO 3166-1 alpha-2 code in upper case")
