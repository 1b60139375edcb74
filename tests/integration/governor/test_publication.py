"""The catalogue as Redis has it: after imports, after a crash between the two, and after Redis lost it."""

import pytest

from governor.settings import Settings
from kernel.catalog import (
    CHANGES_KEY,
    EDITION_KEY,
    PRODUCTS_KEY,
    Edition,
    Product,
    decode,
    publish_edition,
    read_all,
    read_changed,
    read_edition,
    whole_edition,
)
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.governor.doom import ask_and_die
from tests.integration.governor.operators import Desk, catalog, product
from tests.polling import eventually


async def edition_of(desk: Desk) -> Edition:
    found = await whole_edition(desk.redis)
    assert found is not None
    return found


async def on_shelf(desk: Desk, sku: str) -> Product | None:
    text = await desk.redis.hget(PRODUCTS_KEY, sku)
    return None if text is None else decode(text)


async def changed_since(desk: Desk, before: Edition) -> list[str]:
    now = await edition_of(desk)
    assert now.copy == before.copy
    return [decode(text).sku async for part in read_changed(desk.redis, before.version, now.version) for text in part]


async def test_an_import_is_published_with_its_answer_and_alone(desk: Desk) -> None:
    one, two, three = await desk.new_skus(3)
    before = await edition_of(desk)
    await desk.ask("ImportCatalog", catalog([product(one, 13), product(two), product(three, name="Ünlike")]))
    assert (await edition_of(desk)).version == before.version + 1
    assert sorted(await changed_since(desk, before)) == sorted([one, three])
    repriced, renamed = await on_shelf(desk, one), await on_shelf(desk, three)
    assert repriced is not None
    assert renamed is not None
    assert (repriced.price_minor, repriced.price_version) == (1350, 2)
    assert (renamed.name, renamed.price_version) == ("Ünlike", 1)
    await desk.ask("ImportCatalog", catalog([product(two)]))
    assert (await edition_of(desk)).version == before.version + 1


async def test_products_are_numbered_in_the_order_of_import(desk: Desk) -> None:
    skus = await desk.new_skus(3) + await desk.new_skus(1)
    shelf = [await on_shelf(desk, sku) for sku in skus]
    numbers = [each.product_no for each in shelf if each is not None]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


async def test_large_imports_are_read_in_whole_versions(desk: Desk) -> None:
    await desk.new_skus(1)
    before = await edition_of(desk)
    many = await desk.new_skus(1300)
    few = [(await desk.new_skus(1))[0] for _ in range(3)] + await desk.new_skus(700)
    await desk.ask("ImportCatalog", catalog([product(many[5], 99)]))
    seen = await changed_since(desk, before)
    assert sorted(seen) == sorted(many + few)


@pytest.mark.parametrize("point", ["after_catalog_rows", "after_catalog_products"])
async def test_an_import_half_published_is_published_by_the_next_governor(
    desk: Desk, doomed: Settings, point: str
) -> None:
    [sku] = await desk.new_skus()
    before = await edition_of(desk)
    request = catalog([product(sku, 77)])
    await ask_and_die(doomed, point, "ImportCatalog", request)

    async def published() -> bool:
        found = await on_shelf(desk, sku)
        edition = await edition_of(desk)
        return found is not None and found.price_minor == 7750 and edition.version == before.version + 1

    await eventually(published)
    assert await desk.ask("ImportCatalog", request) == pb.ImportCatalogResponse(repriced=1)


OLDER_BUILDS = (
    "INSERT INTO product (sku, name, price_version, price_minor, currency, weight_grams, seller_id, updated_ms) "
    "VALUES (:sku, 'Of before', 1, 4200, 'EUR', 1, 'acme', 1)"
)


async def test_what_an_older_build_writes_is_published_with_a_version_of_its_own(desk: Desk) -> None:
    [known] = await desk.new_skus()
    before, added = await edition_of(desk), desk.new_name()
    await desk.change(OLDER_BUILDS, sku=added)
    await desk.change("UPDATE product SET name = 'Renamed', updated_ms = 2 WHERE sku = :sku", sku=known)

    async def both_are_there() -> bool:
        changed = await changed_since(desk, before)
        return sorted(changed) == sorted([known, added])

    await eventually(both_are_there)
    first, second = await on_shelf(desk, known), await on_shelf(desk, added)
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("Renamed", "Of before")
    assert second.product_no > first.product_no


@pytest.mark.parametrize("lost", [(EDITION_KEY, PRODUCTS_KEY, CHANGES_KEY), (PRODUCTS_KEY,), (CHANGES_KEY,)])
async def test_what_redis_lost_is_published_anew_as_another_copy(desk: Desk, lost: tuple[str, ...]) -> None:
    skus = await desk.new_skus(600)
    before = await edition_of(desk)
    await desk.redis.delete(*lost)

    async def whole() -> bool:
        found = await whole_edition(desk.redis)
        return found is not None and found.version == before.version

    await eventually(whole)
    after = await edition_of(desk)
    assert after.copy != before.copy
    shelf = {decode(text).sku async for part in read_all(desk.redis) for text in part}
    [row] = await desk.rows("SELECT COUNT(*) AS count FROM product")
    assert len(shelf) == row.count
    assert shelf >= set(skus)


async def test_a_redis_that_follows_another_database_starts_anew(desk: Desk) -> None:
    await desk.new_skus()
    before = await edition_of(desk)
    await publish_edition(desk.redis, Edition("elsewhere", before.version + 1000))

    async def ours() -> bool:
        found = await read_edition(desk.redis)
        return found is not None and found.copy != "elsewhere" and found.version == before.version

    await eventually(ours)
