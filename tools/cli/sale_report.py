"""`peakmesh sale report|compare`: what past sales left in the run folder."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from meshkit.settings import ProcessSettings
from tools.cli.console import AsJson, out, print_json, table, told
from tools.sale.compare import compare as compared
from tools.sale.compare import differences
from tools.sale.report import write_report

Sale = Annotated[str, typer.Argument(help="sale_id, or a folder with its verdict.json", show_default=False)]


def report(sale: Sale) -> None:
    """Make a sale's report.html anew, and print where it is."""
    with told():
        print(write_report(_folder(sale)))


def compare(first: Sale, second: Sale, as_json: AsJson = False) -> None:
    """Two sales side by side: every figure, and its ratio."""
    with told():
        one, other = _verdict(first), _verdict(second)
    lines, different = compared(one, other), differences(one, other)
    if as_json:
        print_json({"figures": [asdict(line) for line in lines], "differences": different})
        return
    shown = [[line.figure, *("–" if value is None else f"{value:g}" for value in _values(line))] for line in lines]
    table("figure", "first", "second", "ratio", rows=shown)
    for each in different:
        out.print(each, highlight=False, soft_wrap=True)


def _values(line: Any) -> tuple[float | None, ...]:
    return line.first, line.second, line.ratio


def _folder(sale: str) -> Path:
    """Raises FileNotFoundError that says which sales there are."""
    sales = ProcessSettings().run_dir / "sales"
    for folder in (sales / sale, Path(sale)):
        if (folder / "verdict.json").is_file():
            return folder
    known = sorted(path.parent.name for path in sales.glob("*/verdict.json"))
    raise FileNotFoundError(f"no verdict of {sale}; there are: {', '.join(known[-10:]) or 'none'}")


def _verdict(sale: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_folder(sale) / "verdict.json").read_text())
    return found
