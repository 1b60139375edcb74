"""`peakmesh up|down|status|logs`: the mesh on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from meshkit.settings import ProcessSettings
from tools import devstack
from tools.cli.catalog import import_file
from tools.cli.console import AsJson, fail, out, print_json, ran, table, told

DEMO_CATALOG = Path(__file__).with_name("demo_catalog.csv")


def up(
    only: Annotated[str, typer.Option(help="processes, with commas; what they need starts too")] = "",
    pairs: Annotated[bool, typer.Option("--pairs", help="two of every process of ours")] = False,
) -> None:
    """Start the mesh and import the demo catalogue; what runs already stays."""
    with told():
        names = only.split(",") if only else None
        seconds = devstack.up(only=names, progress=lambda line: out.print(line, highlight=False), pairs=pairs)
    if names:
        out.print(f"ready in {seconds:.1f} s", highlight=False)
        return
    imported = ran(import_file(ProcessSettings(), DEMO_CATALOG))
    products = imported.added + imported.repriced + imported.unchanged
    ports = ProcessSettings().ports
    out.print(f"all ready in {seconds:.1f} s · gateway on {ports['gateway']} · {products} products", highlight=False)


def down() -> None:
    """Stop the mesh; its data stays."""
    with told():
        out.print("stopped" if devstack.down() else "nothing was running")


def status(as_json: AsJson = False) -> None:
    """What runs, since when, with how much memory. Exit status 1 where no mesh runs."""
    with told():
        rows, running = devstack.status(), devstack.is_up()
        own, warm = devstack.supervisor_mb(), devstack.warm_seconds()
    total = round(sum(row.rss_mb for row in rows) + own)
    if as_json:
        print_json(
            {
                "running": running,
                "resident_mb": total,
                "start_seconds": warm,
                "processes": [asdict(row) for row in rows],
            }
        )
    elif running:
        shown = [
            [
                row.name,
                row.state,
                str(row.pid or "–"),
                str(row.restarts),
                f"{row.seconds_to_ready:.1f}" if row.seconds_to_ready is not None else "–",
                f"{row.rss_mb:.0f}",
                " ".join(map(str, row.ports.values())),
            ]
            for row in rows
        ]
        table("process", "state", "pid", "restarts", "start s", "MB", "ports", rows=shown)
        start = f"{warm:.1f} s" if warm is not None else "not all is ready"
        out.print(f"resident {total} MB in all · start {start}", highlight=False)
    if not running:
        fail("no mesh is running: `peakmesh up` starts one")


def logs(
    process: Annotated[str, typer.Argument(help="as `peakmesh status` names it")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on showing what comes")] = False,
) -> None:
    """The last lines of a process's log, or of `supervisor`, which starts them."""
    with told():
        for line in devstack.logs(process, follow):
            print(line)
