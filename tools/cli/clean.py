"""`peakmesh clean`: what the run folder no longer needs."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from meshkit.settings import ProcessSettings
from tools import devstack
from tools.chaos.kept import forget_old_runs
from tools.cli.console import out, told
from tools.sale.kept import forget_old_sales


def clean(
    sales: Annotated[int, typer.Option(help="latest sales, and runs of scenarios, whose reports stay", min=0)] = 5,
    everything: Annotated[bool, typer.Option("--all", help="stop the mesh and remove its data too")] = False,
) -> None:
    """Remove old sales' and scenarios' files and logs set aside; orders and stock stay, unless --all."""
    folder = devstack.Mesh.of().run_dir
    before = _bytes(folder)
    with told():
        if everything:
            devstack.down()
            shutil.rmtree(folder, ignore_errors=True)
        else:
            forget_old_sales(ProcessSettings().run_dir / "sales", sales)
            forget_old_runs(ProcessSettings().run_dir / "chaos", sales)
            for log in (folder / "logs").glob("*.log.1"):
                log.unlink()
    freed = (before - _bytes(folder)) / 2**20
    out.print(f"{freed:.1f} MB freed, {_bytes(folder) / 2**20:.1f} MB stay in {folder}", highlight=False)


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
