import pytest

from meshkit.errors import InvalidFields
from meshkit.rpc.fields import Fields


def test_every_bad_field_is_told_at_once() -> None:
    fields = Fields()
    fields.ident("sku", "a{b}")
    fields.uuid("request_id", "not-one")
    fields.between("quantity", -1, 1, 100)
    fields.text("shipping_address.city", "  ", 1, 100)
    with pytest.raises(InvalidFields) as raised:
        fields.check()
    assert [field for field, _ in raised.value.violations] == ["sku", "request_id", "quantity", "shipping_address.city"]


def test_good_fields_pass() -> None:
    fields = Fields()
    fields.ident("sku", "phone_1-x")
    fields.uuid("request_id", "018f2b5e-0000-7000-8000-000000000001")
    fields.between("quantity", 1, 1, 100)
    fields.text("city", "Kraków", 1, 100)
    fields.check()
    assert fields.found() == []


@pytest.mark.parametrize("value", ["", "x" * 65, "ü", "a b", "a\n", "{1}"])
def test_an_id_that_could_move_a_redis_slot_is_refused(value: str) -> None:
    fields = Fields()
    fields.ident("sku", value)
    with pytest.raises(InvalidFields):
        fields.check()


@pytest.mark.parametrize("value", ["", "00000000-0000-0000-0000-000000000000", "0" * 32, "z" * 36])
def test_what_is_no_uuid_is_refused(value: str) -> None:
    fields = Fields()
    fields.uuid("request_id", value)
    with pytest.raises(InvalidFields):
        fields.check()
