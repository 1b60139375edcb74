"""What `peakmesh toggles` makes of what is typed, and what it shows of the journal."""

from datetime import timedelta

import pytest

from peakmesh.ops.v1 import toggle_service_pb2 as pb
from tools.cli.times import parse_span
from tools.cli.toggles import line
from tools.cli.toggles_watch import news


def changes(*ids: str) -> list[pb.ToggleChange]:
    return [pb.ToggleChange(entry_id=each) for each in ids]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), (" 2h ", 7200), ("1d", 86_400)], ids=str)
def test_a_span_is_a_number_and_its_unit(text: str, seconds: int) -> None:
    assert parse_span(text, "--for") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "1w", "-5s", "1.5h", "+10m", "ten"])
def test_any_other_span_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(ValueError, match="--for"):
        parse_span(text, "--for")


def test_a_line_tells_who_what_why_and_which_signal() -> None:
    change = pb.ToggleChange(flag="recommendations", what="off", who="governor", why="tier PEAK", signal="lag 9,000")
    change.change_time.FromJsonString("2026-11-27T00:00:01Z")
    assert line(change) == "2026-11-27T00:00:01Z recommendations off by governor: tier PEAK (lag 9,000)"
    change.expire_time.FromJsonString("2026-11-27T00:10:00Z")
    assert "off until 2026-11-27T00:10:00Z by governor" in line(change)


def test_a_watch_shows_what_came_since_its_last_look_oldest_first() -> None:
    assert news(changes("2", "1"), None) == []
    assert [each.entry_id for each in news(changes("4", "3", "2", "1"), "2")] == ["3", "4"]
    assert [each.entry_id for each in news(changes("1"), "")] == ["1"]
    assert news(changes("2", "1"), "2") == []
