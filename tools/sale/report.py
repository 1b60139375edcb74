"""report.html of a sale: one file that needs nothing else, made from what the sale's folder keeps."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.sale.picture import NARROW, WIDE, Format, draw
from tools.sale.slow import what_was_slow
from tools.sale.watch import Sample

KINDS = {"accepted": "Told QUEUED", "sold_out": "Told “sold out”"}


def write_report(folder: Path) -> Path:
    """Reads verdict.json and samples.json, writes report.html. Raises FileNotFoundError."""
    verdict = json.loads((folder / "verdict.json").read_text())
    samples = [Sample(**each) for each in json.loads((folder / "samples.json").read_text())]
    page = folder / "report.html"
    page.write_text(render(verdict, samples))
    return page


def render(verdict: Mapping[str, Any], samples: Sequence[Sample]) -> str:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    return templates.get_template("report.html.j2").render(
        verdict=verdict,
        kinds=KINDS,
        funnel=funnel(verdict),
        slow=what_was_slow(verdict),
        wide=_picture(samples, verdict, WIDE),
        narrow=_picture(samples, verdict, NARROW),
    )


def funnel(verdict: Mapping[str, Any]) -> list[tuple[str, int, float]]:
    """(step, orders, share of the taps in per cent), widest first."""
    steps = {
        "tapped “Buy”": verdict["offered"],
        "accepted: told QUEUED": verdict["accepted"],
        "written by the database": verdict["persisted"],
        "paid": verdict["paid"],
    }
    return [(step, count, 100 * count / max(verdict["offered"], 1)) for step, count in steps.items()]


def _picture(samples: Sequence[Sample], verdict: Mapping[str, Any], form: Format) -> str:
    """A data URL: the page must open from a mail or a ticket, with no folder beside it."""
    held = io.BytesIO()
    draw(samples, verdict, held, form)
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"
