"""`peakmesh sale …`: run one whole, or operate one by hand."""

import asyncio
import signal
import sys
from collections.abc import Awaitable
from functools import partial
from typing import Annotated, Any, TypeVar

import typer
from rich.live import Live

from kernel.stock.keys import ORDER_BYTES
from meshkit.settings import ProcessSettings
from tools import devstack
from tools.cli import preflight, sale_desk, sale_report
from tools.cli.audit import audit_lines
from tools.cli.console import AsJson, err, out, print_json, ran, table, told
from tools.cli.progress import Progress
from tools.cli.token import issuer
from tools.sale.run import SaleRun, Surroundings
from tools.sale.schedule import Curve, rate_for
from tools.sale.shape import DEFAULT_BUYERS, DEFAULT_UNITS, Shape

T = TypeVar("T")
app = typer.Typer(help="Flash sales: run one whole, or open, watch, pause and close one.", no_args_is_help=True)
app.command()(sale_report.report)
app.command()(sale_report.compare)


@app.command()
def run(
    units: Annotated[int, typer.Option(help="units on sale")] = DEFAULT_UNITS,
    buyers: Annotated[int, typer.Option(help="buyers, one tap each")] = DEFAULT_BUYERS,
    shape: Annotated[Curve, typer.Option(help="surge: a peak at the opening, then a long tail")] = Curve.SURGE,
    rate: Annotated[
        float | None, typer.Option(help="taps a second, at a surge's peak; default: by a short calibration")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="seconds the crowd takes, instead of --rate")] = None,
    processes: Annotated[int, typer.Option(help="load generator processes")] = 2,
    drain_rate: Annotated[float | None, typer.Option(help="orders a second into SQL; default: rate ÷ 5")] = None,
    vouchers: Annotated[float, typer.Option(help="share of buyers with a voucher, 0 to 1")] = 0.0,
    seed: Annotated[int, typer.Option(help="of the arrivals")] = 1,
    as_json: AsJson = False,
) -> None:
    """Run a whole sale on the running mesh: load, drain, audit, verdict. Exit status 0 only when the verdict holds."""
    settings = ProcessSettings()
    with told():
        if duration is not None:
            rate = rate_for(shape, buyers, duration)
        asked = Shape(units, buyers, rate, processes, drain_rate, vouchers, seed=seed, curve=shape)
        issuer(settings)
    verdict = _run(settings, asked)
    if as_json:
        print_json(verdict)
    else:
        _show_verdict(settings, verdict)
    raise typer.Exit(0 if verdict["verdict"] == "holds" else 1)


def _pace(rate: float | None) -> None:
    """order_worker reads its pace at its start; a run sets it for that start alone, and then puts the default back. Two
    of them write half of it each."""
    running = devstack.expected(devstack.Mesh.of())
    workers = [name for name in ("order_worker", "order_worker_1") if name in running]
    variables = {} if rate is None else {"PEAKMESH_ORDER_WORKER_RATE": str(rate / len(workers))}
    for name in workers:
        devstack.restart_process(name, variables)


def _run(settings: ProcessSettings, shape: Shape) -> dict[str, Any]:
    terminal = sys.stderr.isatty()
    progress = Progress(lambda line: err.print(line, highlight=False, soft_wrap=True), plain=not terminal)
    around = Surroundings(partial(audit_lines, settings), _pace, progress.say, progress.show)
    sale = SaleRun(settings, shape, around)
    if not terminal:
        return ran(_until_told(sale()))
    with Live(progress, console=err, refresh_per_second=8, transient=True):
        return ran(_until_told(sale()))


async def _until_told(work: Awaitable[T]) -> T:
    """Ended by its parent a run leaves the mesh as Ctrl-C does: sale closed, no generator, the usual pace."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _show_verdict(settings: ProcessSettings, verdict: dict[str, Any]) -> None:
    counts = ("offered", "accepted", "persisted", "paid", "payment_failed", "oversold")
    table(*counts, rows=[[str(verdict[name]) for name in counts]])
    figures = ("count", "p50", "p99", "p999")
    rows = [[outcome, *(str(each[name]) for name in figures)] for outcome, each in verdict["outcomes"].items()]
    table("told", "buyers", "p50 ms", "p99 ms", "p99.9 ms", rows=rows)
    delay, late = verdict["consistency_delay_ms"], verdict["late_send_ms"]["p99"]
    out.print(
        f"peak backlog {verdict['peak_backlog']} · drained in {verdict['drain_seconds']} s at {verdict['drain_rate']}/s"
        f" · answer to TO_SHIP p50 {delay['p50']} ms, p99 {delay['p99']} ms · generator late p99 {late} ms",
        highlight=False,
        soft_wrap=True,
    )
    _show_memory(verdict["redis_bytes_an_order"])
    out.print(" ".join(f"{name} {said}" for name, said in verdict["audit"].items()), highlight=False, soft_wrap=True)
    folder = settings.run_dir / "sales" / verdict["sale_id"]
    out.print(
        f"{folder / 'verdict.json'} · {folder / 'peak.png'} · {folder / 'report.html'}", highlight=False, soft_wrap=True
    )
    for reason in verdict["why"]:
        out.print(reason, style="red", highlight=False)
    style = "bold green" if verdict["verdict"] == "holds" else "bold red"
    out.print(f"verdict: {verdict['verdict']}", style=style, highlight=False)


def _show_memory(parts: dict[str, int]) -> None:
    of_these = ", ".join(f"{name} {size}" for name, size in parts.items() if name != "all")
    words = f"an order takes {parts['all']} bytes of Redis (limit {ORDER_BYTES}): {of_these}"
    out.print(words, highlight=False, soft_wrap=True, style="red" if parts["all"] > ORDER_BYTES else None)


app.command("open")(sale_desk.open_)
app.command("list")(sale_desk.list_)
for _command in (preflight.preflight, sale_desk.show, sale_desk.pause, sale_desk.resume, sale_desk.close):
    app.command()(_command)
