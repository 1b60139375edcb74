"""`peakmesh clean`: what the run folder no longer needs."""

from typing import Annotated

import typer

from tools import devstack
from tools.chaos.kept import forget_old_runs
from tools.cli.console import AsJson, err, out, print_json, told
from tools.devstack.remove import remove_data, used_bytes
from tools.sale.kept import forget_old_sales


def clean(
    sales: Annotated[int, typer.Option(help="latest sales, and runs of scenarios, whose reports stay", min=0)] = 5,
    everything: Annotated[bool, typer.Option("--all", help="stop the mesh and remove its data too")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove old sales' and scenarios' files and logs set aside; orders and stock stay, unless --all."""
    folder = devstack.Mesh.of().run_dir
    before = used_bytes(folder)
    forgotten: list[str] = []
    runs: list[str] = []
    live: list[str] = []
    with told():
        if everything:
            devstack.down()
            live = [str(each) for each in remove_data(folder)]
        else:
            forgotten = forget_old_sales(folder / "sales", sales)
            runs = forget_old_runs(folder / "chaos", sales)
            for log in (folder / "logs").glob("*.log.1"):
                log.unlink(missing_ok=True)
    stays = used_bytes(folder)
    freed = max(0, before - stays)
    if as_json:
        done = {"folder": str(folder), "freed_bytes": freed, "kept_bytes": stays}
        print_json(done | {"sales_removed": forgotten, "runs_removed": runs, "meshes_kept": live})
        return
    out.print(f"{freed / 2**20:.1f} MB freed, {stays / 2**20:.1f} MB stay in {folder}", highlight=False, soft_wrap=True)
    for each in live:
        err.print(f"kept {each}: a mesh runs there", style="yellow", highlight=False, soft_wrap=True)
