"""States over time, as pages told them."""

import io

from PIL import Image

from tools.chaos.lanes import Span, lanes
from tools.chaos.picture import draw
from tools.chaos.timeline import Call, Done, Reading, Timeline
from tools.chaos.watch import BREAKER_STATE, EJECTED, ENVOY, GOVERNORS, TIER, TOGGLES

PROMOTIONS = frozenset({("breaker", "promotions")})
PROMO, WALLET = (frozenset({("envoy_cluster_name", name)}) for name in ("promo", "wallet"))
HISTORY = frozenset({("feature", "purchase-history")})


def told() -> Timeline:
    """Ten readings a second of ten seconds; the governor is silent from 4 to 6."""
    timeline = Timeline(ended=10.0, done=[Done(2.0, 2.1, "arm"), Done(5.0, 5.1, "clear", heals=True)])
    for number in range(100):
        at, fault = number / 10, 20 <= number < 50
        ours = {(BREAKER_STATE, PROMOTIONS): 2.0 * fault, (TOGGLES, HISTORY): 0.0 if fault else 1.0}
        timeline.readings.setdefault("checkout_0", []).append(Reading(at, ours))
        ejected = {(EJECTED, PROMO): float(fault), (EJECTED, WALLET): 0.0}
        timeline.readings.setdefault(ENVOY, []).append(Reading(at, ejected))
        if not 40 <= number < 60:
            timeline.readings.setdefault(GOVERNORS[0], []).append(
                Reading(at, {(TIER, frozenset()): float(number >= 80)})
            )
    return timeline


def test_like_states_are_one_span() -> None:
    found = lanes(told())
    assert list(found) == ["Breakers", "Tier", "Features"]
    assert [lane.words for lane in found["Features"]] == ["on 0.0 s → off 2.0 s → on 5.0 s"]


def test_of_envoys_only_what_it_ejected_is_shown() -> None:
    names = [lane.name for lane in lanes(told())["Breakers"]]
    assert names == ["promotions in checkout_0", "promotions in checkout_1", "promo in Envoy"]


def test_who_is_silent_leaves_a_gap() -> None:
    [tier] = lanes(told())["Tier"]
    assert tier.spans == [Span(0.0, 4.4, "NORMAL"), Span(6.0, 8.0, "NORMAL"), Span(8.0, 10.0, "BUSY")]
    [_, never, _] = lanes(told())["Breakers"]
    assert never.words == "not told"


def test_all_of_it_is_drawn() -> None:
    timeline = told()
    timeline.calls = [Call(n / 10, "order", 5 + n % 7, n % 50 != 0, "QUEUED") for n in range(100)]
    held = io.BytesIO()
    draw(timeline, "promo-dead: held", "Promotions are killed. " * 20, held)
    with Image.open(held) as picture:
        assert picture.width > 1_200
