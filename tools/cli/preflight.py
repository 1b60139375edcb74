"""`peakmesh sale preflight`: what would spoil tonight's sale?"""

from typing import Annotated

import typer

from meshkit.settings import ProcessSettings
from tools.cli.console import AsJson, out, print_json, ran, table
from tools.preflight.report import Level
from tools.preflight.run import run_preflight

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


def preflight(
    sale_id: Annotated[str | None, typer.Argument(help="one sale; default: every sale that is not closed")] = None,
    as_json: AsJson = False,
) -> None:
    """Check servers, clocks, topics, settings, stock and keys. Exit status 0 all is well, 1 warnings, 2 problems."""
    report = ran(run_preflight(ProcessSettings(), sale_id))
    if as_json:
        print_json(report.to_json())
        raise typer.Exit(report.exit_code)
    rows = []
    for line in report.lines:
        style = STYLES[line.level]
        rows.append([line.check, f"[{style}]{line.level}[/{style}]", line.words, line.todo])
    table("check", "", "found", "what to do", rows=rows)
    out.print("exit status", report.exit_code)
    raise typer.Exit(report.exit_code)
