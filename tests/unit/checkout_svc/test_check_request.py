"""Every bad field is named, and all of them at once."""

import pytest

from checkout_svc.check_request import to_purchase
from meshkit.errors import InvalidFields
from meshkit.identity import Identity, Role
from peakmesh.checkout.v1.checkout_service_pb2 import PlaceOrderRequest
from peakmesh.order.v1.order_pb2 import ShippingAddress
from tests.unit.checkout_svc.bench import ADDRESS

ANA, KIOSK = Identity("ana", Role.BUYER), Identity("kiosk", Role.SERVICE)
REQUEST_ID = "0B5A6F0E-8C2B-4C9E-9D6E-000000000001"


def request(**changes: object) -> PlaceOrderRequest:
    fields: dict[str, object] = {
        "sale_id": "sale-1",
        "sku": "sku-1",
        "quantity": 1,
        "request_id": REQUEST_ID,
        "shipping_address": ADDRESS,
        "price_version": 1,
    }
    return PlaceOrderRequest(**(fields | changes))  # type: ignore[arg-type]


def violations(wrong: PlaceOrderRequest, who: Identity = ANA) -> list[str]:
    with pytest.raises(InvalidFields) as raised:
        to_purchase(wrong, who)
    return [field for field, _ in raised.value.violations]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sale_id", ""),
        ("sale_id", "{x}"),
        ("sku", "a|b"),
        ("sku", "x" * 65),
        ("sku", "sku\n"),
        ("quantity", 0),
        ("quantity", -1),
        ("quantity", 101),
        ("request_id", ""),
        ("request_id", "00000000-0000-0000-0000-000000000000"),
        ("request_id", REQUEST_ID + "0"),
        ("price_version", 0),
        ("voucher_code", "a b"),
        ("require_promotion", True),
        ("buyer_id", "somebody"),
    ],
)
def test_a_bad_field_is_named_alone(field: str, value: object) -> None:
    assert violations(request(**{field: value})) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient", ""),
        ("street", "x" * 201),
        ("city", "  "),
        ("postal_code", "1\x00"),
        ("country_code", "de"),
        ("country_code", "ÄÖ"),
    ],
)
def test_a_bad_line_of_the_address_is_named(field: str, value: str) -> None:
    address = ShippingAddress()
    address.CopyFrom(ADDRESS)
    setattr(address, field, value)
    assert violations(request(shipping_address=address)) == [f"shipping_address.{field}"]


def test_all_bad_fields_come_together() -> None:
    assert violations(PlaceOrderRequest(voucher_code="{}", buyer_id="|"), Identity("ana", Role.BUYER)) == [
        "sale_id",
        "sku",
        "quantity",
        "request_id",
        "price_version",
        "voucher_code",
        "shipping_address.recipient",
        "shipping_address.street",
        "shipping_address.city",
        "shipping_address.postal_code",
        "shipping_address.country_code",
        "buyer_id",
    ]


def test_a_subject_that_is_no_id_is_refused() -> None:
    assert violations(request(), Identity("{7:0}", Role.BUYER)) == ["token.sub"]


def test_a_service_buys_for_its_buyer_and_is_recorded() -> None:
    bought = to_purchase(request(buyer_id="ana"), KIOSK)
    assert (bought.user_id, bought.placed_by) == ("ana", "kiosk")
    assert to_purchase(request(), ANA).placed_by == ""


def test_the_case_of_a_request_id_does_not_make_another_request() -> None:
    upper, lower = to_purchase(request(), ANA), to_purchase(request(request_id=REQUEST_ID.lower()), ANA)
    assert (upper.request_id, upper.request_hash) == (lower.request_id, lower.request_hash)
