"""What makes two requests with one request_id the same request."""

import json
from hashlib import blake2b

from peakmesh.checkout.v1.checkout_service_pb2 import PlaceOrderRequest

# Part of the hash: a change of the fields below must not make an old retry look like a reused request_id by accident.
_VERSION = 1


def request_hash(request: PlaceOrderRequest, user_id: str) -> str:
    """32 hex digits over the fields that decide what is bought, by whom, at which price and sent where.

    Built from values, not from serialized bytes: protobuf promises no canonical encoding between versions.
    """
    address = request.shipping_address
    fields = [
        _VERSION,
        user_id,
        request.sale_id,
        request.sku,
        request.quantity,
        request.price_version,
        request.voucher_code,
        request.require_promotion,
        [address.recipient, address.street, address.city, address.postal_code, address.country_code],
    ]
    canonical = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=16).hexdigest()
