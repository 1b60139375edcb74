"""Scenarios as files say them: ours can all be read, and a wrong one is refused with its field named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.chaos.calls import CALLS
from tools.chaos.scenario import Arm, OnProcess, read_scenario, shipped
from tools.devstack.table import TABLE

RIGHT: dict[str, Any] = {
    "says": "a test",
    "load": {"order": 10},
    "actions": [
        {"at": 1, "do": "arm", "target": "promo", "delay_ms": 400},
        {"at": 2, "do": "clear", "target": "promo"},
    ],
    "expects": [{"expect": "succeeds", "call": "order"}],
}


@pytest.mark.parametrize("name", shipped())
def test_ours_name_only_what_there_is(name: str) -> None:
    scenario = read_scenario(name)
    assert scenario.calls <= set(CALLS)
    processes = {action.process for action in scenario.actions if isinstance(action, OnProcess)}
    assert processes <= {row.name for row in TABLE}
    armed = [action.words for action in scenario.actions if isinstance(action, Arm)]
    assert all(armed)


@pytest.mark.parametrize(
    "name",
    [*("promo-dead", "promo-slow", "promo-flaky-30"), "providers-slow", "history-storm", "everything-optional-dead"],
)
def test_the_promised_ones_are_there(name: str) -> None:
    assert name in shipped()


def test_a_file_of_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(RIGHT))
    assert read_scenario(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"load": {}}, "load"),
        ({"load": {"order": 501}}, "load.order"),
        ({"actions": [{"at": 1, "do": "arm", "target": "redis", "delay_ms": 1}]}, "'redis' is no target"),
        ({"actions": [{"at": 1, "do": "explode", "process": "promo_svc"}]}, "actions.0"),
        ({"actions": list(reversed(RIGHT["actions"]))}, "order of their times"),
        ({"expects": [{"expect": "succeeds", "call": "shop"}]}, "not in the load"),
        ({"expects": [{"expect": "p99", "call": "order", "time_healthy": 2}]}, "time_healthy"),
        ({"sasy": ""}, "sasy"),
    ],
)
def test_a_wrong_one_says_what_is_wrong(wrong: dict[str, Any], why: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(RIGHT | wrong))
    with pytest.raises(ValueError, match=why):
        read_scenario(str(path))


@pytest.mark.parametrize("text", ["- a\n- b\n", "{", "just words"])
def test_what_is_no_scenario_at_all(text: str, tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"none\.yaml"):
        read_scenario(str(path))


def test_an_unknown_name_lists_ours() -> None:
    with pytest.raises(FileNotFoundError, match="promo-slow"):
        read_scenario("promo-fast")
