"""The model against the plain list of best sellers, on purchases withheld from it."""

from collections.abc import Callable, Collection

import pytest

from engagement_svc.item_model import ItemModel, train
from tests.unit.engagement_svc.histories import circle_of, generated, held_out

TEN = 10


def recall(pick: Callable[[Collection[str]], list[str]], withheld: dict[str, tuple[list[str], str]]) -> float:
    """The share of withheld purchases that are among the picks."""
    return sum(last in pick(bought) for bought, last in withheld.values()) / len(withheld)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_beats_the_best_sellers_on_withheld_purchases(seed: int) -> None:
    known, withheld = held_out(generated(seed))
    model = train(known)
    best_sellers = ItemModel({}, model.popular)
    by_model = recall(lambda bought: [each.sku for each in model.pick(bought, TEN)], withheld)
    by_popularity = recall(lambda bought: [each.sku for each in best_sellers.pick(bought, TEN)], withheld)
    print(f"seed {seed}: recall@10 {by_model:.3f} by the model, {by_popularity:.3f} by best sellers")
    assert by_model > 2 * by_popularity


def test_what_is_picked_is_of_the_buyers_taste_and_says_why() -> None:
    model = train(held_out(generated(4))[0])
    picks = model.pick(["sku-3-0", "sku-3-1"], TEN)
    assert {circle_of(each.sku) for each in picks} == {3}
    assert {each.because for each in picks} <= {"sku-3-0", "sku-3-1"}
    assert not {each.sku for each in picks} & {"sku-3-0", "sku-3-1"}


def test_a_newcomer_is_shown_best_sellers_and_nobody_what_they_have() -> None:
    model = train([("a", "x"), ("b", "x"), ("c", "y"), ("d", "z"), ("d", "y")])
    assert [each.sku for each in model.pick([], 2)] == ["x", "y"]
    assert all(each.because == "" for each in model.pick([], 3))
    assert [each.sku for each in model.pick(["x", "y"], 5)] == ["z"]
    assert model.pick(["x", "y", "z"], 5) == []


def test_without_purchases_there_is_nothing_to_recommend() -> None:
    assert train([]).pick(["x"], 5) == []
    assert train([("a", "x")]).pick([], 5)[0].sku == "x"


def test_buying_the_same_again_counts_once() -> None:
    model = train([("a", "x")] * 50 + [("b", "y"), ("c", "y")])
    assert model.popular == ["y", "x"]
