"""A client's x-envoy-fault-* headers change nothing: said by one crowd and not by another, in the same seconds."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from meshkit.identity import Role
from tests.e2e.shop import Shop
from tests.json_client import ask
from tools.chaos.scenario import read_scenario
from tools.chaos.timeline import Timeline, percentile
from tools.cli.fault_run import play_on
from tools.devstack import Mesh

Figure = Callable[[str], None]
DELAY_MS = 200
HEADERS = {
    "x-envoy-fault-delay-request": str(DELAY_MS),
    "x-envoy-fault-delay-request-percentage": "100",
    "x-envoy-fault-abort-grpc-request": "14",
    "x-envoy-fault-abort-request": "503",
    "x-envoy-fault-abort-request-percentage": "50",
}
# A header that counted would fail half of the calls, and make every promotion too late. Where a machine stands still
# for half a second five in a row are late, in either crowd: promotions are cut off for two or three of some eight
# seconds, and the fallback answers, which is promised. Nothing else may differ at all.
SAME = {"order_with_voucher": 0.5, "shop": 1.0, "history": 1.0, "recommendations": 1.0}
ANSWERED = {"order_with_voucher": "APPLIED", "shop": "QUEUED", "history": "LISTED", "recommendations": "RECOMMENDED"}
PAGES = ("orders", "recommendations", "products:search?query=phone")
JSON_CALLS = 10


def outcomes(timeline: Timeline, call: str) -> Counter[str]:
    return Counter(each.outcome for each in timeline.calls if each.call == call)


def median(timeline: Timeline, call: str) -> float:
    return percentile([each.ms for each in timeline.calls if each.call == call], 0.5)


async def test_over_grpc_every_answer_is_the_same_and_as_soon(mesh: Mesh, figure: Figure) -> None:
    changes = {"load": dict.fromkeys(ANSWERED, 5.0), "actions": [], "expects": [], "after": 6.0}
    calm = read_scenario("promo-slow").model_copy(update=changes)
    with_headers, without = await asyncio.gather(
        play_on(mesh, calm, print, tuple(HEADERS.items())), play_on(mesh, calm, print)
    )
    for call, outcome in ANSWERED.items():
        for played in (with_headers, without):
            found = outcomes(played.timeline, call)
            assert found[outcome] >= SAME[call] * found.total(), found
            assert found.total() > 25
        said, unsaid = median(with_headers.timeline, call), median(without.timeline, call)
        figure(f"{call}: half within {said:.1f} ms with fault headers, {unsaid:.1f} ms without")
        assert said < unsaid + DELAY_MS / 2


async def test_over_json_too(shop: Shop, figure: Figure) -> None:
    base, token = f"http://127.0.0.1:{shop.settings.ports['gateway']}/v1", shop.issuer.issue("ana", Role.BUYER)
    for page in PAGES:
        medians = []
        for headers in (HEADERS, {}):
            taken = []
            for _ in range(JSON_CALLS):
                began = time.perf_counter()
                assert (await ask(f"{base}/{page}", token, **headers)).status == 200
                taken.append((time.perf_counter() - began) * 1000)
            medians.append(percentile(taken, 0.5))
        figure(f"GET /v1/{page}: half within {medians[0]:.1f} ms with fault headers, {medians[1]:.1f} ms without")
        assert medians[0] < medians[1] + DELAY_MS / 2
