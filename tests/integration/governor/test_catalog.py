"""ImportCatalog on real MariaDB."""

import time
from uuid import uuid4

import pytest

from meshkit.errors import InvalidFields, RequestIdReused
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.governor.operators import Desk, catalog, opening, product

PRICES = "SELECT price_version, price_minor, currency FROM product_price WHERE sku = :sku ORDER BY price_version"


async def test_a_new_price_is_a_new_version_and_the_old_one_stays(desk: Desk) -> None:
    [sku] = await desk.new_skus()
    sale = (await desk.ask("OpenSale", opening(sku))).sale
    answer = await desk.ask("ImportCatalog", catalog([product(sku, 13, 99, name="A better phone")]))
    assert answer == pb.ImportCatalogResponse(repriced=1)
    same_price = await desk.ask("ImportCatalog", catalog([product(sku, 13, 99, name="The best phone")]))
    assert same_price == pb.ImportCatalogResponse(unchanged=1)
    assert [tuple(row) for row in await desk.rows(PRICES, sku=sku)] == [(1, 1250, "EUR"), (2, 1399, "EUR")]
    [row] = await desk.rows("SELECT * FROM product WHERE sku = :sku", sku=sku)
    assert (row.name, row.price_version, row.price_minor) == ("The best phone", 2, 1399)
    assert (await desk.sale(sale.sale_id)).offers[0].price_version == 1
    assert (await desk.ask("OpenSale", opening(sku))).sale.offers[0].price_version == 2


async def test_a_repeat_answers_the_same_and_another_body_is_refused(desk: Desk) -> None:
    sku, request_id = desk.new_name(), str(uuid4())
    request = catalog([product(sku)], request_id)
    first = await desk.ask("ImportCatalog", request)
    assert first == pb.ImportCatalogResponse(added=1)
    assert await desk.ask("ImportCatalog", request) == first
    with pytest.raises(RequestIdReused):
        await desk.ask("ImportCatalog", catalog([product(sku, 99)], request_id))
    assert len(await desk.rows(PRICES, sku=sku)) == 1


async def test_one_bad_product_keeps_all_out(desk: Desk) -> None:
    sku = desk.new_name()
    with pytest.raises(InvalidFields) as raised:
        await desk.ask("ImportCatalog", catalog([product(sku), product(sku), product("bad", units=-1)]))
    assert [field for field, _ in raised.value.violations] == ["products[2].unit_price", "products"]
    assert await desk.rows("SELECT 1 FROM product WHERE sku = :sku", sku=sku) == []


async def test_the_largest_catalogue_is_taken_in_one_call(desk: Desk) -> None:
    prefix = uuid4().hex[:8]
    longest = [product(f"{prefix}-{n:05d}-{'s' * 40}", name="n" * 200) for n in range(10_000)]
    started = time.perf_counter()
    answer = await desk.ask("ImportCatalog", catalog(longest))
    print(f"10,000 products in {time.perf_counter() - started:.2f} s")
    assert answer == pb.ImportCatalogResponse(added=10_000)
    [row] = await desk.rows("SELECT COUNT(*) AS count FROM product WHERE sku LIKE :like", like=f"{prefix}-%")
    assert row.count == 10_000
    await desk.change("DELETE FROM product WHERE sku LIKE :like", like=f"{prefix}-%")
    await desk.change("DELETE FROM product_price WHERE sku LIKE :like", like=f"{prefix}-%")
