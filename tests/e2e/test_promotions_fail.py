"""Promotions that are slow, flaky, killed, frozen or restarted cost a buyer neither an order nor a wait."""

import math

import pytest

from tools.chaos.play import Played
from tools.chaos.scenario import Scenario, read_scenario
from tools.chaos.timeline import percentile
from tools.cli.fault_run import play_on
from tools.devstack import Mesh

CALL = "order_with_voucher"


def told(played: Played) -> str:
    return "\n".join(
        f"{'held ' if each.held else 'BROKE'} {each.expected}: {each.measured}" for each in played.verdicts
    )


async def plays(mesh: Mesh, scenario: Scenario) -> Played:
    played = await play_on(mesh, scenario, print)
    print(told(played))
    return played


@pytest.mark.parametrize("name", ["promo-slow", "promo-flaky-30", "promo-dead", "promo-frozen", "promo-restarted"])
async def test_a_scenario_holds(name: str, mesh: Mesh) -> None:
    played = await plays(mesh, read_scenario(name))
    assert played.held, told(played)


async def test_a_clients_fault_headers_change_nothing(mesh: Mesh) -> None:
    """On the gateway, with all that Envoy's fault filter knows: no delay, no abort, every discount given."""
    scenario = read_scenario("promo-restarted").model_copy(update={"actions": [], "after": 2.0, "expects": []})
    headers = (
        ("x-envoy-fault-delay-request", "3000"),
        ("x-envoy-fault-delay-request-percentage", "100"),
        ("x-envoy-fault-abort-grpc-request", "14"),
        ("x-envoy-fault-abort-request-percentage", "100"),
    )
    calls = (await play_on(mesh, scenario, print, headers)).timeline.between(CALL, 0, math.inf)
    slowest = percentile([each.ms for each in calls], 1)
    print(f"{len(calls)} calls with fault headers, {sum(each.ok for each in calls)} good, the slowest {slowest:.0f} ms")
    assert len(calls) > 50
    assert all(each.ok for each in calls)
    assert slowest < 3_000
