"""Every bad field of a cart's requests is named."""

import pytest

from checkout_svc.check_cart import check_change, to_checkout
from meshkit.errors import InvalidFields
from meshkit.identity import Identity, Role
from peakmesh.checkout.v1.cart_service_pb2 import AddItemRequest, ClearCartRequest, RemoveItemRequest, UpdateItemRequest
from peakmesh.checkout.v1.checkout_service_pb2 import CheckoutCartRequest
from peakmesh.order.v1.order_pb2 import ShippingAddress
from tests.unit.checkout_svc.bench import ADDRESS

ANA = Identity("ana", Role.BUYER)
REQUEST_ID = "0B5A6F0E-8C2B-4C9E-9D6E-000000000001"
ITEM = {"request_id": REQUEST_ID, "sale_id": "sale-1", "sku": "sku-1"}


def checkout(**changes: object) -> CheckoutCartRequest:
    fields: dict[str, object] = {"request_id": REQUEST_ID, "shipping_address": ADDRESS}
    return CheckoutCartRequest(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [AddItemRequest, UpdateItemRequest])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", ""),
        ("request_id", REQUEST_ID + "0"),
        ("sale_id", ""),
        ("sale_id", "{x}"),
        ("sku", "a|b"),
        ("sku", "x" * 65),
        ("quantity", 0),
        ("quantity", -1),
        ("quantity", 101),
    ],
)
def test_a_bad_field_of_an_item_is_named_alone(
    kind: type[AddItemRequest | UpdateItemRequest], field: str, value: object
) -> None:
    fields: dict[str, object] = {**ITEM, "quantity": 1, field: value}
    with pytest.raises(InvalidFields) as raised:
        check_change(kind(**fields), ANA)  # type: ignore[arg-type]
    assert [name for name, _ in raised.value.violations] == [field]


def test_all_bad_fields_come_together() -> None:
    stranger = Identity("{7:0}", Role.BUYER)
    cases: list[tuple[AddItemRequest | RemoveItemRequest | ClearCartRequest, list[str]]] = [
        (AddItemRequest(), ["request_id", "sale_id", "sku", "quantity", "token.sub"]),
        (RemoveItemRequest(), ["request_id", "sale_id", "sku", "token.sub"]),
        (ClearCartRequest(), ["request_id", "token.sub"]),
    ]
    for request, names in cases:
        with pytest.raises(InvalidFields) as raised:
            check_change(request, stranger)
        assert [name for name, _ in raised.value.violations] == names
    with pytest.raises(InvalidFields) as raised:
        to_checkout(CheckoutCartRequest(require_promotion=True), stranger)
    address = [f"shipping_address.{each}" for each in ("recipient", "street", "city", "postal_code", "country_code")]
    assert [name for name, _ in raised.value.violations] == [
        "request_id",
        "require_promotion",
        *address,
        "token.sub",
    ]


def test_what_is_asked_decides_the_body_and_the_case_of_a_request_id_does_not() -> None:
    one = to_checkout(checkout(), ANA)
    assert one == to_checkout(checkout(request_id=REQUEST_ID.lower()), ANA)
    elsewhere = ShippingAddress(recipient="Ana", street="1 St", city="Ulm", postal_code="10115", country_code="DE")
    others = [
        checkout(voucher_code="TEN"),
        checkout(voucher_code="TEN", require_promotion=True),
        checkout(shipping_address=elsewhere),
    ]
    assert len({one.body, *(to_checkout(each, ANA).body for each in others)}) == 4
