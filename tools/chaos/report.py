"""What a run leaves in its folder: verdict.json, calls.jsonl, picture.png and report.html, which needs no other."""

import base64
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.chaos.lanes import lanes
from tools.chaos.picture import draw
from tools.chaos.play import Played
from tools.chaos.scenario import Scenario
from tools.chaos.timeline import Call, Timeline, percentile


def verdict_of(scenario: Scenario, played: Played) -> dict[str, Any]:
    return {
        "scenario": scenario.name,
        "held": played.held,
        "expectations": [asdict(each) for each in played.verdicts],
        "actions": [asdict(each) for each in played.timeline.done],
        "latencies": latencies(scenario, played.timeline),
    }


def write(folder: Path, scenario: Scenario, played: Played) -> Path:
    """Returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.json").write_text(json.dumps(verdict_of(scenario, played), indent=2))
    (folder / "calls.jsonl").write_text("".join(json.dumps(asdict(each)) + "\n" for each in played.timeline.calls))
    picture, page = folder / "picture.png", folder / "report.html"
    draw(played.timeline, f"{scenario.name}: {'held' if played.held else 'did not hold'}", scenario.says, picture)
    page.write_text(_render(scenario, played, picture.read_bytes()))
    return page


def latencies(scenario: Scenario, timeline: Timeline) -> list[dict[str, Any]]:
    rows = []
    for call in scenario.load:
        parts = {
            "healthy": timeline.healthy(call),
            "in the fault": timeline.in_fault(call, 0),
            "after it": timeline.between(call, timeline.fault_over, math.inf),
        }
        rows += [_row(call, part, calls) for part, calls in parts.items() if calls]
    return rows


def _row(call: str, part: str, calls: list[Call]) -> dict[str, Any]:
    ms = [each.ms for each in calls]
    figures = {"p50": round(percentile(ms, 0.5), 1), "p99": round(percentile(ms, 0.99), 1)}
    return {"call": call, "part": part, "calls": len(calls), "failed": sum(not each.ok for each in calls)} | figures


def _render(scenario: Scenario, played: Played, picture: bytes) -> str:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    return templates.get_template("report.html.j2").render(
        name=scenario.name,
        says=scenario.says,
        load=scenario.load,
        held=played.held,
        verdicts=played.verdicts,
        done=played.timeline.done,
        latencies=latencies(scenario, played.timeline),
        lanes=lanes(played.timeline),
        picture=f"data:image/png;base64,{base64.b64encode(picture).decode()}",
    )
