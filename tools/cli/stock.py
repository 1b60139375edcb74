"""`peakmesh stock rebuild`: after a loss of Redis, the stock anew from the database."""

import asyncio
from typing import Annotated
from uuid import uuid4

import typer
from google.protobuf.json_format import MessageToDict

from meshkit.errors import DeadlinePassed, DependencyUnavailable, Overloaded
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tools.cli.console import AsJson, err, out, print_json, ran, told
from tools.cli.token import issuer
from tools.sale.operator import Operator, operating

app = typer.Typer(help="The stock in Redis.", no_args_is_help=True)
PAUSE_SECONDS = 0.5
# A server that is away so long needs somebody; the rebuild stays where it is, and goes on with the next call.
MOST_FAILURES = 60


@app.callback()
def _stock() -> None:
    """Makes `rebuild` a word of its own: an app with one command would swallow it."""


@app.command()
def rebuild(
    reason: Annotated[str, typer.Option(help="for the journal")],
    sale: Annotated[str, typer.Option("--sale", help="one sale")] = "",
    all_sales: Annotated[bool, typer.Option("--all", help="every sale, closed ones too")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
) -> None:
    """Fence what was accepted before, load the stock from the database, open again. Interrupted: repeat it."""
    with told():
        request = asked(sale, all_sales, reason)
        issuer(ProcessSettings())
    if not yes:
        what = "every sale" if all_sales else sale
        typer.confirm(f"Take {what} out of sale until its stock is rebuilt?", abort=True, err=True)
    done = ran(_rebuild(request))
    if as_json:
        print_json(MessageToDict(done, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
    else:
        out.print(f"rebuilt {done.offers} offers in epoch {done.epoch}; `peakmesh audit` proves it", highlight=False)


def asked(sale: str, all_sales: bool, reason: str) -> pb.RebuildStockRequest:
    """Raises ValueError, naming the option."""
    if bool(sale) == all_sales:
        raise ValueError("--sale ID or --all: one of the two")
    return pb.RebuildStockRequest(request_id=str(uuid4()), sale_id=sale, all_sales=all_sales, reason=reason)


async def _rebuild(request: pb.RebuildStockRequest) -> pb.RebuildStockResponse:
    """Repeats the call until it is done; each new state of it is a line on stderr."""
    last = ""
    async with operating(ProcessSettings()) as operator:
        while True:
            answer = await _patiently(operator, request)
            line = progress(answer)
            if line != last:
                err.print(line, markup=False, highlight=False, soft_wrap=True)
                last = line
            if answer.phase == pb.REBUILD_PHASE_DONE:
                return answer
            await asyncio.sleep(PAUSE_SECONDS)


async def _patiently(operator: Operator, request: pb.RebuildStockRequest) -> pb.RebuildStockResponse:
    for failures in range(1, MOST_FAILURES + 1):
        try:
            return await operator.rebuild_stock(request)
        except (DependencyUnavailable, DeadlinePassed, Overloaded) as error:
            if failures == MOST_FAILURES:
                raise
            err.print(f"waiting: {error.message}", markup=False, highlight=False, soft_wrap=True)
            await asyncio.sleep(2 * PAUSE_SECONDS)
    raise AssertionError("unreachable")


def progress(answer: pb.RebuildStockResponse) -> str:
    match answer.phase:
        case pb.REBUILD_PHASE_DRAINING:
            return f"epoch {answer.epoch}: closed; {answer.outbox} orders wait for the relay (is checkout_svc up?)"
        case pb.REBUILD_PHASE_CONSUMING:
            passed = f"{answer.markers_passed} of {answer.markers}"
            return f"epoch {answer.epoch}: fenced; order_worker has passed {passed} markers (is it up?)"
        case pb.REBUILD_PHASE_LOADING:
            return f"epoch {answer.epoch}: {answer.offers_done} of {answer.offers} offers loaded and opened"
        case _:
            return f"epoch {answer.epoch}: done"
