import re
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from governor import checks
from governor.open_sale import new_sale_id
from governor.sale import NewSale, OfferSpec
from meshkit.errors import InvalidFields
from peakmesh.ops.v1 import ops_service_pb2 as pb

NOW = 1_800_000_000_000
REQUEST_ID = "0193a000-0000-7000-8000-000000000001"


def spec(sku: str = "phone", units: int = 10, limit: int = 1) -> pb.OfferSpec:
    return pb.OfferSpec(sku=sku, units=units, limit_per_user=limit)


def named(raised: pytest.ExceptionInfo[InvalidFields]) -> list[str]:
    return [field for field, _ in raised.value.violations]


def test_a_sale_without_times_opens_now_and_until_it_is_closed() -> None:
    new = checks.new_sale(pb.OpenSaleRequest(request_id=REQUEST_ID, offers=[spec()]), NOW)
    assert new == NewSale([OfferSpec("phone", 10, 1)], opens_ms=NOW, closes_ms=0)


def test_every_wrong_field_of_a_sale_is_named() -> None:
    request = pb.OpenSaleRequest(
        request_id="x",
        offers=[spec("a{b}", 0, 1001), spec("twice"), spec("twice")],
        open_time=Timestamp(seconds=-5),
        close_time=Timestamp(seconds=NOW // 1000 - 1),
    )
    with pytest.raises(InvalidFields) as raised:
        checks.new_sale(request, NOW)
    details = ["offers[0].sku", "offers[0].units", "offers[0].limit_per_user", "offers", "open_time", "close_time"]
    assert named(raised) == ["request_id", *details]


def test_a_sale_must_close_after_it_opens() -> None:
    opens, closes = Timestamp(seconds=NOW // 1000 + 100), Timestamp(seconds=NOW // 1000 + 100)
    with pytest.raises(InvalidFields) as raised:
        checks.new_sale(
            pb.OpenSaleRequest(request_id=REQUEST_ID, offers=[spec()], open_time=opens, close_time=closes), NOW
        )
    assert named(raised) == ["close_time"]


@pytest.mark.parametrize("count", [0, 101])
def test_a_sale_has_one_to_a_hundred_offers(count: int) -> None:
    offers = [spec(f"sku-{n}") for n in range(count)]
    with pytest.raises(InvalidFields) as raised:
        checks.new_sale(pb.OpenSaleRequest(request_id=REQUEST_ID, offers=offers), NOW)
    assert named(raised) == ["offers"]


@pytest.mark.parametrize("units", [-1, checks.MAX_UNITS + 1])
def test_stock_out_of_range_is_refused(units: int) -> None:
    with pytest.raises(InvalidFields) as raised:
        checks.set_stock(pb.SetStockRequest(request_id=REQUEST_ID, sale_id="s", sku="p", units=units))
    assert named(raised) == ["units"]


def test_every_wrong_field_of_a_product_is_named() -> None:
    free = pb.Product(sku="free", name="Free", unit_price=Money(currency_code="EUR"), weight_grams=1, seller_id="s")
    odd = pb.Product(sku="", name="\n", unit_price=Money(currency_code="EURO", units=1), weight_grams=0, seller_id="{}")
    with pytest.raises(InvalidFields) as raised:
        checks.products(pb.ImportCatalogRequest(request_id=REQUEST_ID, products=[free, odd]))
    wrong = [f"products[1].{name}" for name in ("sku", "name", "weight_grams", "seller_id", "unit_price")]
    assert named(raised) == ["products[0].unit_price", *wrong]


def test_a_sale_id_sorts_by_time_and_may_stand_in_a_key() -> None:
    earlier, later = new_sale_id(NOW), new_sale_id(NOW + 1000)
    assert earlier < later
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", earlier)
    assert new_sale_id(NOW) != earlier


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, []),
        ({"sale_id": "", "all_sales": True}, []),
        ({"sale_id": ""}, ["sale_id"]),
        ({"all_sales": True}, ["all_sales"]),
        ({"reason": " "}, ["reason"]),
        ({"reason": "r" * 256}, ["reason"]),
        ({"request_id": "one"}, ["request_id"]),
    ],
)
def test_a_rebuild_is_of_one_sale_or_all_and_has_a_reason(changes: dict[str, Any], wrong: list[str]) -> None:
    request = pb.RebuildStockRequest(**({"request_id": REQUEST_ID, "sale_id": "s", "reason": "a drill"} | changes))
    found: list[str] = []
    try:
        checks.rebuild_stock(request)
    except InvalidFields as error:
        found = [field for field, _ in error.violations]
    assert found == wrong
