"""`peakmesh fault run SCENARIO`: a sale of its own, a load, faults, and what held."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from PIL import Image

from meshkit.money import from_minor
from meshkit.rpc.client import Metadata, channel
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import ops_service_pb2 as ops
from tools import devstack
from tools.chaos.act import Acting
from tools.chaos.calls import Stage, finds
from tools.chaos.kept import KEPT, forget_old_runs
from tools.chaos.play import Played, play
from tools.chaos.report import verdict_of, write
from tools.chaos.scenario import Scenario, read_scenario, shipped
from tools.cli.console import AsJson, out, print_json, ran, told
from tools.cli.token import issuer
from tools.sale.operator import operating

Unsettled = Callable[[], Awaitable[int]]
UNITS = 100_000
FOUND_WITHIN_SECONDS, FOUND_POLL_SECONDS, IN_TURN = 10.0, 0.05, 4


class MeshProcesses:
    """Implements act.Processes on the dev stack."""

    def __init__(self, mesh: devstack.Mesh) -> None:
        self._mesh = mesh

    def stop(self, name: str) -> None:
        devstack.stop_process(name, self._mesh, kill=True)

    def start(self, name: str) -> None:
        devstack.start_process(name, self._mesh)

    def crash(self, name: str) -> None:
        devstack.wait_ready(name, self._mesh, not_pid=devstack.kill_process(name, mesh=self._mesh))

    def freeze(self, name: str) -> None:
        devstack.pause_process(name, self._mesh)

    def thaw(self, name: str) -> None:
        devstack.resume_process(name, self._mesh)

    def restart(self, name: str) -> None:
        devstack.restart_process(name, mesh=self._mesh)


def run(
    scenario: Annotated[str, typer.Argument(help=f"a file, or one of {', '.join(shipped())}")],
    as_json: AsJson = False,
) -> None:
    """Play a scenario on the running mesh and say line by line what held. Exit status 0 only where all did; Ctrl-C
    leaves the mesh as it was."""
    settings = ProcessSettings()
    tell: Callable[[str], None] = (lambda _: None) if as_json else (lambda line: out.print(line, highlight=False))
    with told():
        said = read_scenario(scenario)
    tell(said.says)
    played = ran(play_on(devstack.Mesh.of(), said, tell))
    folder = settings.run_dir / "chaos" / f"{said.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    page = write(folder, said, played)
    forget_old_runs(folder.parent, KEPT)
    if as_json:
        print_json(verdict_of(said, played) | {"report": str(page)})
    else:
        _show(played, page)
    raise typer.Exit(0 if played.held else 1)


async def play_on(mesh: devstack.Mesh, scenario: Scenario, tell: Callable[[str], None], heads: Metadata = ()) -> Played:
    """`heads`: metadata that every call carries besides its token. Raises DevstackError where something could not be
    put back."""
    settings = mesh.settings
    async with (
        _stage(settings, heads) as (stage, unsettled),
        Acting(MeshProcesses(mesh), settings.run_dir, settings.ports["admin"]) as acting,
    ):
        played = await play(scenario, stage, acting, settings.ports, unsettled, tell)
    if acting.failed:
        raise devstack.DevstackError(f"not put back: {'; '.join(acting.failed)}")
    return played


@asynccontextmanager
async def _stage(settings: ProcessSettings, heads: Metadata) -> AsyncIterator[tuple[Stage, Unsettled]]:
    """A product and a sale of their own; the sale is closed at the end."""
    async with operating(settings) as operator, channel(f"127.0.0.1:{settings.ports['gateway']}") as gateway:
        word = uuid4().hex[:12]
        sku, name, seller = f"chaos-{word}", f"A phone {word}", f"seller-{word}"
        price = from_minor(4_999, "EUR")
        product = ops.Product(sku=sku, name=name, unit_price=price, weight_grams=400, seller_id=seller)
        await operator.import_catalog([product])
        sale = await operator.open_sale(sku, UNITS, 1)

        async def unsettled() -> int:
            offer = (await operator.sale(sale.sale_id)).offers[0]
            return int(max(offer.redis.reserved, offer.database.reserved))

        version = sale.offers[0].price_version
        stage = Stage(gateway, issuer(settings), sale.sale_id, sku, version, name, seller, picture(), heads)
        try:
            await _found(stage)
            yield stage, unsettled
        finally:
            await operator.close_sale(sale.sale_id)


async def _found(stage: Stage) -> None:
    """Each checkout process follows the catalogue by itself, and calls go to them in turn. Raises TimeoutError."""
    async with asyncio.timeout(FOUND_WITHIN_SECONDS):
        in_turn = 0
        while in_turn < IN_TURN:
            in_turn = in_turn + 1 if await finds(stage, "chaos-first") else 0
            await asyncio.sleep(FOUND_POLL_SECONDS)


def picture() -> bytes:
    """A PNG, as an avatar of the load."""
    held = io.BytesIO()
    Image.new("RGB", (64, 64), "#1b7f79").save(held, "PNG")
    return held.getvalue()


def _show(played: Played, page: Path) -> None:
    for each in played.verdicts:
        style, word = ("green", "held ") if each.held else ("red", "BROKE")
        out.print(f"[{style}]{word}[/] {each.expected}: {each.measured}", highlight=False, soft_wrap=True)
    out.print(f"{page}", highlight=False, soft_wrap=True)
