"""report.html of a sale: one file that needs nothing else, made from what the sale's folder keeps."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.sale.picture import COLOURS, NARROW, WIDE, Format, draw
from tools.sale.slow import what_was_slow
from tools.sale.watch import Sample

# What a buyer's last answer meant; a reason that is not here is shown as it is, docs/errors.md explains each.
MEANT = {
    "QUEUED": "accepted: you are in queue",
    "PENDING": "held, and not confirmed yet when the buyer gave up asking",
    "SOLD_OUT": "no unit was left",
    "SALE_NOT_OPEN": "too early, too late, or paused",
    "LIMIT_REACHED": "the buyer had all they may have",
    "PRICE_CHANGED": "the price was another than the one seen",
    "OVERLOADED": "refused before anything was done",
    "DEADLINE": "no answer in time: unknown to the buyer, not to the audit",
    "DEPENDENCY_UNAVAILABLE": "a part was unreachable: unknown to the buyer, not to the audit",
}
# `{sale}` is this one.
COMMANDS = {
    "peakmesh audit --sale {sale}": "the invariants again, over the systems as they are now",
    "peakmesh sale show {sale}": "its stock in the database and in Redis",
    "peakmesh sale compare {sale} ANOTHER_SALE": "each figure beside another sale's",
    "peakmesh order stuck": "orders that need a person, and what to do",
    "peakmesh order trace ORDER_ID": "one order's way through every system; history-*.jsonl has the ids",
    "peakmesh tier log": "what load switched off meanwhile, and by which signal",
    "peakmesh logs order_worker": "what the process said that writes the rows",
}


def write_report(folder: Path) -> Path:
    """Reads verdict.json and samples.json, writes report.html. Raises FileNotFoundError, and ValueError for a verdict
    of an older version."""
    verdict = json.loads((folder / "verdict.json").read_text())
    if missing := {"outcomes", "audit_lines"} - verdict.keys():
        raise ValueError(
            f"{folder.name}: its verdict is of an older version and has no {' and no '.join(sorted(missing))}"
        )
    samples = [Sample(**each) for each in json.loads((folder / "samples.json").read_text())]
    page = folder / "report.html"
    page.write_text(render(verdict, samples))
    return page


def render(verdict: Mapping[str, Any], samples: Sequence[Sample]) -> str:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    templates.filters |= {"ms": milliseconds, "n": "{:,}".format}
    return templates.get_template("report.html.j2").render(
        verdict=verdict,
        meant=MEANT,
        funnel=funnel(verdict),
        holding=sum(line["verdict"] == "holds" for line in verdict["audit_lines"]),
        slow=what_was_slow(verdict),
        commands={command.format(sale=verdict["sale_id"]): tells for command, tells in COMMANDS.items()},
        colours=COLOURS,
        wide=_picture(samples, verdict, WIDE),
        narrow=_picture(samples, verdict, NARROW),
    )


def milliseconds(value: float | None) -> str:
    """A dash where there is none; a decimal below 10, where it tells something."""
    if value is None:
        return "–"
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def funnel(verdict: Mapping[str, Any]) -> list[tuple[str, str, int, float]]:
    """(colour, step, orders, share of the taps in per cent), widest first."""
    steps = {
        ("crowd", "tapped “Buy”"): verdict["offered"],
        ("accepted", "accepted: told QUEUED"): verdict["accepted"],
        ("rows", "written by the database"): verdict["persisted"],
        ("paid", "paid"): verdict["paid"],
    }
    return [(colour, step, count, 100 * count / max(verdict["offered"], 1)) for (colour, step), count in steps.items()]


def _picture(samples: Sequence[Sample], verdict: Mapping[str, Any], form: Format) -> str:
    """A data URL: the page must open from a mail or a ticket, with no folder beside it."""
    held = io.BytesIO()
    draw(samples, verdict, held, form)
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"
