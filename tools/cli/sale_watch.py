"""`peakmesh sale show --watch`: a sale's counters each second."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import typer
from rich.live import Live
from rich.table import Table

from meshkit.errors import DeadlinePassed, DependencyUnavailable
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tools.cli.console import err, out, told
from tools.cli.token import issuer
from tools.sale.operator import operating

EVERY_SECONDS = 1.0
COLUMNS = ("units", "available", "reserved", "sold", "in_sql", "taken_a_second", "sold_a_second")


@dataclass(frozen=True)
class Line:
    """One offer now. Stock as Redis has it; `in_sql`: reserved + sold there. The rates are over the last look."""

    sku: str
    units: int
    available: int
    reserved: int
    sold: int
    in_sql: int
    taken_a_second: float = 0.0
    sold_a_second: float = 0.0


Show = Callable[[pb.Sale, Sequence[Line]], None]


def lines(sale: pb.Sale, before: pb.Sale | None, seconds: float) -> list[Line]:
    """`before`: the look `seconds` earlier."""
    earlier = {offer.offer_no: offer.redis for offer in before.offers} if before else {}
    shown = []
    for offer in sale.offers:
        now, then = offer.redis, earlier.get(offer.offer_no, offer.redis)
        taken = now.reserved + now.sold - then.reserved - then.sold
        rates = (round(taken / seconds, 1), round((now.sold - then.sold) / seconds, 1))
        in_sql = offer.database.reserved + offer.database.sold
        shown.append(Line(offer.sku, offer.units, now.available, now.reserved, now.sold, in_sql, *rates))
    return shown


def settled(sale: pb.Sale) -> bool:
    """Nothing will move any more."""
    counters = [each for offer in sale.offers for each in (offer.redis, offer.database)]
    return sale.state == pb.SALE_STATE_CLOSED and not any(each.reserved for each in counters)


def watch_sale(settings: ProcessSettings, sale_id: str, as_json: bool) -> None:
    """A table that changes on a terminal, a line a second and SKU elsewhere. Ctrl-C is its usual end."""
    with told():
        issuer(settings)
        try:
            if sys.stdout.isatty() and not as_json:
                with Live(console=out, auto_refresh=False) as live:
                    asyncio.run(_watch(settings, sale_id, lambda *seen: live.update(_table(*seen), refresh=True)))
            else:
                asyncio.run(_watch(settings, sale_id, _print_json if as_json else _print))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


async def _watch(settings: ProcessSettings, sale_id: str, show: Show) -> None:
    before: pb.Sale | None = None
    seen_at = time.monotonic()
    async with operating(settings) as operator:
        while True:
            try:
                sale = await operator.sale(sale_id)
            except (DependencyUnavailable, DeadlinePassed) as error:
                # A governor that restarts is no reason to stop watching; a first look that fails is.
                if before is None:
                    raise
                err.print(error.message, style="yellow", highlight=False)
            else:
                now = time.monotonic()
                show(sale, lines(sale, before, max(now - seen_at, 0.001)))
                if settled(sale):
                    return
                before, seen_at = sale, now
            await asyncio.sleep(EVERY_SECONDS)


def _state(sale: pb.Sale) -> str:
    return pb.SaleState.Name(sale.state).removeprefix("SALE_STATE_")


def _table(sale: pb.Sale, now: Sequence[Line]) -> Table:
    shown = Table("sku", *(name.replace("_", " ") for name in COLUMNS), box=None, header_style="bold")
    shown.title, shown.title_justify = f"{sale.sale_id} {_state(sale)}", "left"
    for line in now:
        shown.add_row(line.sku, *(str(getattr(line, name)) for name in COLUMNS))
    return shown


def _print(sale: pb.Sale, now: Sequence[Line]) -> None:
    for line in now:
        told_now = " ".join(f"{name} {getattr(line, name)}" for name in COLUMNS)
        print(f"{time.strftime('%H:%M:%S')} {_state(sale)} {line.sku} {told_now}", flush=True)


def _print_json(sale: pb.Sale, now: Sequence[Line]) -> None:
    offers = [asdict(line) for line in now]
    print(json.dumps({"sale_id": sale.sale_id, "state": _state(sale), "offers": offers}), flush=True)
