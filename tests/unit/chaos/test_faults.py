"""Faults as people say them."""

import json
from pathlib import Path

import pytest

from tools.chaos.disarm import token_and_end, wait_and_disarm
from tools.chaos.expiry import expiry_file, seconds_left
from tools.chaos.faults import Fault, milliseconds
from tools.chaos.runtime import NoEnvoyError, modify

NOBODY = 1  # a port that nobody listens on


@pytest.mark.parametrize(("words", "ms"), [("400ms", 400), ("1.5s", 1_500), ("2m", 120_000), ("1h", 3_600_000)])
def test_a_duration_has_a_unit(words: str, ms: int) -> None:
    assert milliseconds(words) == ms


@pytest.mark.parametrize("words", ["", "400", "-1s", "1 s", "1d", "ms"])
def test_anything_else_is_no_duration(words: str) -> None:
    with pytest.raises(ValueError, match="400ms"):
        milliseconds(words)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"target": "redis", "percent": 100, "delay_ms": 1}, "promo, wallet"),
        ({"target": "promo", "percent": 0, "delay_ms": 1}, "--percent"),
        ({"target": "promo", "percent": 101, "delay_ms": 1}, "--percent"),
        ({"target": "promo", "percent": 100}, "--abort or --delay"),
        ({"target": "promo", "percent": 100, "abort": "OK"}, "--abort must be one of"),
        ({"target": "promo", "percent": 100, "abort": "503"}, "--abort must be one of"),
        ({"target": "promo", "percent": 100, "delay_ms": 60_001}, "--delay"),
    ],
)
def test_a_wrong_fault_says_what_is_wrong(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Fault(**said)  # type: ignore[arg-type]


def test_it_tells_itself() -> None:
    assert Fault("promo", 30, "UNAVAILABLE", 400).words == "400 ms and UNAVAILABLE on 30 %"


def test_an_end_that_was_taken_back_is_not_waited_for(tmp_path: Path) -> None:
    wait_and_disarm(tmp_path / "promo.json", NOBODY, "promo")
    assert token_and_end(tmp_path / "promo.json") == ("", 0.0)
    assert seconds_left(tmp_path, "promo") is None


def test_the_end_comes_though_envoy_is_gone(tmp_path: Path) -> None:
    path = expiry_file(tmp_path, "promo")
    path.parent.mkdir()
    path.write_text(json.dumps({"until": 0, "token": "t", "fault": ""}))
    with pytest.raises(NoEnvoyError, match="is the mesh up"):
        modify(NOBODY, {})
    wait_and_disarm(path, NOBODY, "promo")
    assert not path.exists()
