"""What a query finds, in which order, page by page; and that nothing a buyer types is more than words."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout_svc.product_index import ProductIndex
from checkout_svc.search_index import RANK_MOST, Place, Wanted, search
from checkout_svc.shown_product import Availability, StockState
from checkout_svc.spelling import distance
from kernel.catalog import encode
from tests.unit.checkout_svc.shelf import index_of, product

SHELF = [
    product(1, "Flash phone with a red case", 19900, sku="flash-phone"),
    product(2, "Phone", 9900),
    product(3, "Case for a phone, black", 900),
    product(4, "Red bicycle bell", 1500, sku="bell_7"),
    product(5, "Café crème cups, 6 pieces", 2400),
    product(6, "Photographer's lamp", 5900),
    product(7, "Smartwatch 12", 19900, currency="USD"),
    product(8, "Smartwatch 13", 20900),
    product(9, "Ёлка в горшке", 3000),
    product(10, "100% cotton* shirt (blue) OR 'grey' \"melange\"", 2000),
]
HOSTILE = [
    '"', "'", "*", "**", "a*b", "phone*", '"phone', 'phone"*', "AND", "OR", "NOT", "NEAR(a b)", "name:phone", "-phone",
    "^phone", "(", ")", "a AND", "{name sku}: phone", "phone OR", "'; DROP TABLE product; --", "\\", "%", "_", "😀",
    "a" * 200, "a " * 100, '" ' * 100, "(" * 200, "éèê" * 60, "\u202e phone", "ﬁ", "١٢٣", "中文", "\u0301", "x\u0301",
]  # fmt: skip


@pytest.fixture(scope="module")
def index() -> ProductIndex:
    return index_of(SHELF)


def numbers(index: ProductIndex, query: str, **filters: object) -> list[int]:
    found = search(index, Wanted(query, **filters), 20)  # type: ignore[arg-type]
    assert found.after is None
    return [each.product_no for each in found.products]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("flash-phone", [1]),
        ("FLASH-PHONE", [1]),
        ("bell_7", [4]),
        ("phone", [2]),
        ("PHONE ", [2]),
        ("red", [4, 1]),
        ("red phone", [1]),
        ("phone red", [1]),
        ("cafe creme", [5]),
        ("CAFÉ", [5]),
        ("Cafe\u0301", [5]),
        ("елка", [9]),
        ("smartwatch 13", [8]),
        ("cotton*", [10]),
    ],
)
def test_the_best_match_is_first(index: ProductIndex, query: str, first: list[int]) -> None:
    assert numbers(index, query)[: len(first)] == first


def test_the_last_word_may_be_a_beginning_and_the_others_not(index: ProductIndex) -> None:
    assert set(numbers(index, "pho")) == {1, 2, 3, 6}
    assert numbers(index, "red bic") == [4]
    assert numbers(index, "bic red") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("phnoe", {1, 2, 3}),
        ("fone", set()),
        ("bicylce", {4}),
        ("fotographer", {6}),
        ("red bycycle", {4}),
        ("xase", {1, 3}),
    ],
)
def test_words_spelled_nearly_so_are_found(index: ProductIndex, query: str, found: set[int]) -> None:
    assert set(numbers(index, query)) == found


def test_a_number_is_never_taken_for_another(index: ProductIndex) -> None:
    assert numbers(index, "smartwatch 14") == []


def test_what_is_spelled_right_comes_before_what_is_nearly_so() -> None:
    index = index_of([product(1, "table"), product(2, "tabel top"), product(3, "cable")])
    assert [each.product_no for each in search(index, Wanted("tabel"), 20).products] == [2]
    assert [each.product_no for each in search(index, Wanted("tablee"), 20).products] == [1]


@pytest.mark.parametrize(
    ("one", "other", "steps"), [("phone", "phnoe", 1), ("a", "b", 1), ("", "ab", 2), ("ab", "bca", 3)]
)
def test_distance_counts_swaps_as_one(one: str, other: str, steps: int) -> None:
    assert distance(one, other, 9) == distance(other, one, 9) == steps
    assert distance(one, other, 0) > 0


def test_filters_by_price_and_currency(index: ProductIndex) -> None:
    assert numbers(index, "", currency="EUR", low=2000, high=3000) == [5, 9, 10]
    assert numbers(index, "", currency="USD") == [7]
    assert numbers(index, "smartwatch", currency="EUR", high=20000) == []


def test_stock_states_are_shown_and_filtered_by() -> None:
    index = index_of(SHELF)
    index.make_available(
        {
            "sku-2": Availability(StockState.IN_STOCK, "sale-1", 500, "EUR", 7),
            "sku-3": Availability(StockState.SOLD_OUT),
            "not-imported-yet": Availability(StockState.IN_STOCK, "sale-1", 1, "EUR", 1),
        }
    )
    [phone] = search(index, Wanted("phone", state=StockState.IN_STOCK), 20).products
    assert (phone.sku, phone.sale_id, phone.price_minor, phone.price_version) == ("sku-2", "sale-1", 500, 7)
    assert numbers(index, "", state=StockState.SOLD_OUT) == [3]
    assert numbers(index, "", state=StockState.UPCOMING) == []
    assert len(numbers(index, "", state=StockState.NOT_ON_SALE)) == len(SHELF) - 2
    assert numbers(index, "phone", currency="EUR", high=500) == [2]
    index.put([encode(product(11, "Late", sku="not-imported-yet")).encode()])
    assert numbers(index, "late", state=StockState.IN_STOCK) == [11]
    index.make_available({"sku-2": Availability(StockState.NOT_ON_SALE)})
    found = index.find("sku-2")
    assert found is not None
    assert (found.state, found.sale_id, found.price_minor) == (StockState.NOT_ON_SALE, "", 9900)


def test_a_changed_product_is_found_by_its_new_words_alone() -> None:
    index = index_of(SHELF)
    index.put([encode(product(2, "Telephone", 8800)).encode()])
    assert numbers(index, "telephone") == [2]
    assert 2 not in numbers(index, "phone")
    found = index.find("sku-2")
    assert found is not None
    assert found.price_minor == 8800
    assert index.names(["sku-2", "nobody"]) == {"sku-2": "Telephone"}
    assert index.count() == len(SHELF)


def test_what_is_no_product_changes_nothing() -> None:
    index = index_of(SHELF)
    with pytest.raises(ValueError, match="not a product"):
        index.put([encode(product(2, "Telephone")).encode(), b"{}"])
    assert numbers(index, "telephone") == []


@pytest.mark.parametrize("query", HOSTILE)
def test_a_hostile_query_is_only_words(index: ProductIndex, query: str) -> None:
    assert set(numbers(index, query)) <= {each.product_no for each in SHELF}


@given(st.text(max_size=200), st.sampled_from([None, *StockState]))
def test_no_text_breaks_a_search(query: str, state: StockState | None) -> None:
    assert len(search(_FUZZED, Wanted(query, state=state), 20).products) <= len(SHELF)


_FUZZED = index_of(SHELF)


def pages(index: ProductIndex, wanted: Wanted, size: int) -> list[int]:
    """Every product over all pages, in order; each page is full until the last, or says where to go on."""
    seen: list[int] = []
    after: Place | None = None
    while True:
        found = search(index, wanted, size, after)
        assert len(found.products) <= size
        seen += [each.product_no for each in found.products]
        if found.after is None:
            return seen
        assert found.after != after
        after = found.after


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 3 * RANK_MOST), ("lamp", 3 * RANK_MOST), ("red", RANK_MOST // 2), ("lmap", 3 * RANK_MOST), ("blue lamp", 2)],
)
def test_pages_hold_everything_once(query: str, count: int) -> None:
    """Ranked, walked and corrected ones; `lamp` is a SKU and a name, too."""
    rng = random.Random(7)
    colours = ["red"] * (RANK_MOST // 2) + ["green"] * (5 * RANK_MOST // 2 - 4) + ["blue"] * 2
    rng.shuffle(colours)
    names = [f"{colour} lamp {rng.randint(1, 9) * 'x '}" for colour in colours]
    shelf = [product(no, name) for no, name in enumerate(names, 3)]
    index = index_of([product(1, "Lamp"), *shelf, product(9000, "other lamp", sku="lamp")])
    seen = pages(index, Wanted(query), 37)
    assert len(seen) == len(set(seen))
    assert len(seen) == count
    if query == "lamp":
        assert seen[:2] == [9000, 1]


def test_a_page_goes_on_where_it_ended_though_products_came_between() -> None:
    index = index_of(product(no, f"lamp {no}") for no in range(1, 50))
    first = search(index, Wanted(""), 20)
    index.put([encode(product(no, f"new {no}")).encode() for no in range(50, 80)])
    index.put([encode(product(3, "renamed")).encode()])
    second = search(index, Wanted(""), 20, first.after)
    assert [each.product_no for each in second.products] == list(range(21, 41))
