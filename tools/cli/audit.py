"""`peakmesh audit`: were the promises kept?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from meshkit.settings import ProcessSettings
from tools.audit.report import AuditReport, Verdict
from tools.audit.run import run_audit
from tools.cli.console import AsJson, out, print_json, ran, table
from tools.sale.verdict import AuditLines

STYLES = {Verdict.HOLDS: "green", Verdict.VIOLATED: "bold red", Verdict.UNKNOWN: "yellow"}


def audit(
    sale: Annotated[str | None, typer.Option(help="one sale alone, as `sale open` named it")] = None,
    history: Annotated[list[Path] | None, typer.Option(help="clients' history files; default: all sale runs'")] = None,
    live: Annotated[bool, typer.Option(help="the mesh is at work: forgive what is younger than 30 s")] = False,
    as_json: AsJson = False,
) -> None:
    """Check invariants I1 to I13, read-only. Exit status 0 all hold, 1 something is violated, 2 could not tell."""
    settings = ProcessSettings()
    histories = history or sorted((settings.run_dir / "sales").glob(f"{sale or '*'}/history-*.jsonl"))
    report = ran(run_audit(settings, sale, histories, live))
    if as_json:
        print_json(report.to_json())
    else:
        show(report)
    raise typer.Exit(report.exit_code)


def show(report: AuditReport) -> None:
    rows = []
    for line in report.lines:
        style = STYLES.get(line.verdict, "dim")
        rows.append([line.invariant, f"[{style}]{line.verdict}[/{style}]", line.title, line.detail])
    table("", "verdict", "invariant", "detail", rows=rows)
    out.print("exit status", report.exit_code)


async def audit_lines(settings: ProcessSettings, sale: str, histories: Sequence[Path]) -> AuditLines:
    """What a sale run asks: a line an invariant."""
    report = await run_audit(settings, sale, histories)
    return [asdict(line) | {"verdict": line.verdict.value} for line in report.lines]
