"""The index follows what is published: only what changed, and all of it where the copy is another one."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from checkout_svc.catalog import MOST_WAITING, Catalog, CatalogFeed, catalog_following
from checkout_svc.search_index import Wanted
from checkout_svc.shown_product import Availability, StockState
from kernel.catalog import Edition, encode
from meshkit.errors import DependencyUnavailable, Overloaded
from meshkit.lifecycle import background
from tests.polling import eventually
from tests.unit.checkout_svc.shelf import Shelf, product


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def catalog(shelf: Shelf) -> AsyncIterator[Catalog]:
    async with catalog_following(shelf.feed()) as following:
        yield following


async def found(catalog: Catalog, query: str) -> list[str]:
    return [each.sku for each in (await catalog.search(Wanted(query), 20, None)).products]


async def test_until_it_has_arrived_nothing_is_said(shelf: Shelf, catalog: Catalog) -> None:
    await catalog.refresh()
    with pytest.raises(DependencyUnavailable):
        await found(catalog, "phone")
    with pytest.raises(DependencyUnavailable):
        await catalog.find("sku-1")
    assert await catalog.names(["sku-1"]) == {}
    shelf.put()
    await catalog.refresh()
    assert await found(catalog, "phone") == []
    assert await catalog.find("sku-1") is None


async def test_an_import_is_read_alone(shelf: Shelf, catalog: Catalog) -> None:
    shelf.put(*(product(no, f"phone {no}") for no in range(1, 300)))
    await catalog.refresh()
    shelf.put(product(7, "bell", 1234), product(300, "whistle"))
    await catalog.refresh()
    await catalog.refresh()
    assert await found(catalog, "bell") == ["sku-7"]
    assert await found(catalog, "whistle") == ["sku-300"]
    assert "sku-7" not in await found(catalog, "phone 7")
    assert shelf.everything_reads == 1
    assert await catalog.names(["sku-7", "sku-8", "x"]) == {"sku-7": "bell", "sku-8": "phone 8"}


@pytest.mark.parametrize("version", [1, 9])
async def test_another_copy_is_read_whole(shelf: Shelf, catalog: Catalog, version: int) -> None:
    shelf.put(product(1, "phone"))
    shelf.put(product(2, "case"))
    await catalog.make_available({"sku-3": Availability(StockState.SOLD_OUT)})
    await catalog.refresh()
    shelf.products.clear()
    shelf.put(product(1, "drum"), product(3, "bell"))
    shelf.copy, shelf.version = "second", version
    await catalog.refresh()
    assert await found(catalog, "phone") == await found(catalog, "case") == []
    assert await found(catalog, "drum") == ["sku-1"]
    bell = await catalog.find("sku-3")
    assert bell is not None
    assert bell.state is StockState.SOLD_OUT
    assert shelf.everything_reads == 2


async def test_what_was_read_stays_when_redis_is_emptied(shelf: Shelf, catalog: Catalog) -> None:
    shelf.put(product(1, "phone"))
    await catalog.refresh()
    shelf.version = 0
    await catalog.refresh()
    assert await found(catalog, "phone") == ["sku-1"]


@pytest.mark.parametrize("known", [False, True])
async def test_a_copy_that_goes_while_it_is_read_is_not_taken_for_whole(shelf: Shelf, known: bool) -> None:
    editions = [Edition("first", 2), None, Edition("second", 2), Edition("second", 2)]
    if known:
        editions = [Edition("first", 1), Edition("first", 1), *editions]

    async def edition() -> Edition | None:
        return editions.pop(0)

    feed = CatalogFeed(edition, shelf.everything, shelf.changed)
    shelf.put(product(1, "phone"))
    async with catalog_following(feed) as catalog:
        if known:
            await catalog.refresh()
        await catalog.refresh()
        if known:
            assert await found(catalog, "phone") == ["sku-1"]
        else:
            with pytest.raises(DependencyUnavailable):
                await found(catalog, "phone")
        await catalog.refresh()
        assert await found(catalog, "phone") == ["sku-1"]
    assert shelf.everything_reads == 2
    assert editions == []


@pytest.mark.parametrize("known", [False, True])
async def test_a_copy_begun_anew_under_other_numbers_while_it_is_read_is_read_once_more(
    shelf: Shelf, known: bool
) -> None:
    """sku-1 is met under two numbers: whoever follows the catalogue outlives it."""
    drum = product(2, "drum", sku="sku-1")
    shelf.put(product(1, "phone"))

    async def renumbered(parts: AsyncIterator[list[bytes]]) -> AsyncIterator[list[bytes]]:
        """The copy that is read becomes another one behind the first part, once."""
        async for part in parts:
            yield part
        if shelf.copy == "first":
            shelf.copy = "second"
            shelf.put(drum)
            yield [encode(drum).encode()]

    feed = CatalogFeed(
        shelf.edition,
        lambda: shelf.everything() if known else renumbered(shelf.everything()),
        lambda after, upto: renumbered(shelf.changed(after, upto)),
    )
    async with catalog_following(feed) as catalog:
        if known:
            await catalog.refresh()
            shelf.put(product(3, "bell"))

        async def read_once_more() -> bool:
            return await catalog.names(["sku-1"]) == {"sku-1": "drum"}

        async with background(catalog.keep_fresh()):
            await eventually(read_once_more)
        assert await found(catalog, "phone") == []
        assert await found(catalog, "drum") == ["sku-1"]


async def test_too_many_questions_are_refused_and_none_is_forgotten(shelf: Shelf, catalog: Catalog) -> None:
    shelf.put(product(1, "phone"))
    await catalog.refresh()
    asked = [asyncio.create_task(found(catalog, "phone")) for _ in range(MOST_WAITING + 10)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in told if isinstance(each, Overloaded)]
    assert len(refused) == 10
    assert [each for each in told if not isinstance(each, Overloaded)] == [["sku-1"]] * MOST_WAITING
    assert await found(catalog, "phone") == ["sku-1"]
