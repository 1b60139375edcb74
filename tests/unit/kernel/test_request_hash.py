"""The request hash tells a retry from a reused request_id."""

from collections.abc import Callable

import pytest

from kernel.request_hash import request_hash
from peakmesh.checkout.v1.checkout_service_pb2 import PlaceOrderRequest
from peakmesh.order.v1.order_pb2 import ShippingAddress


def request() -> PlaceOrderRequest:
    return PlaceOrderRequest(
        sale_id="sale-1",
        sku="sku-1",
        quantity=1,
        request_id="6f2a0d0e-9f0e-4b43-a0b5-0d8b8b0a0001",
        price_version=1,
        shipping_address=ShippingAddress(recipient="Ann", street="Ä 1", city="Ulm", postal_code="1", country_code="DE"),
    )


def test_it_is_stable() -> None:
    # A literal: rows and Redis keep hashes across deployments, and a changed one would refuse honest retries.
    assert request_hash(request(), "ann") == "b6549c26c352396bd166df69f3298f26"
    assert request_hash(request(), "ann") == request_hash(
        PlaceOrderRequest.FromString(request().SerializeToString()), "ann"
    )


def _set(field: str, value: object) -> Callable[[PlaceOrderRequest], None]:
    return lambda r: setattr(r, field, value)


@pytest.mark.parametrize(
    "change",
    [
        _set("sale_id", "sale-2"),
        _set("sku", "sku-2"),
        _set("quantity", 2),
        _set("price_version", 2),
        _set("voucher_code", "TEN"),
        _set("require_promotion", True),
        lambda r: setattr(r.shipping_address, "city", "Bonn"),
        lambda r: setattr(r.shipping_address, "recipient", ""),
    ],
)
def test_every_field_that_matters_changes_it(change: Callable[[PlaceOrderRequest], None]) -> None:
    changed = request()
    change(changed)
    assert request_hash(changed, "ann") != request_hash(request(), "ann")


def test_another_user_changes_it() -> None:
    assert request_hash(request(), "bob") != request_hash(request(), "ann")


def test_text_cannot_slide_from_one_field_into_the_next() -> None:
    one, other = request(), request()
    one.sale_id, one.sku = "a", "bc"
    other.sale_id, other.sku = "ab", "c"
    assert request_hash(one, "ann") != request_hash(other, "ann")
