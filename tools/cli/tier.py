"""`peakmesh tier`: the governor's tier, why it is so, and what a policy file would make of it."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from meshkit.errors import DeadlinePassed, DependencyUnavailable
from peakmesh.ops.v1 import tier_service_pb2 as pb
from peakmesh.ops.v1 import tier_service_pb2_grpc as rpc
from tools.cli.console import AsJson, err, fail, out, print_json, ran, table, told
from tools.cli.operator import ask
from tools.devstack.spec import ROOT

app = typer.Typer(no_args_is_help=True, help="The governor's tier, and why it is what it is.")
EVERY_SECONDS = 1.0
# The leader looks each second; a standby would have taken over by now.
NOBODY_LEADS_SECONDS = 5.0


@app.command()
def show(as_json: AsJson = False) -> None:
    """The tier, since when, and what is off for it."""
    now: pb.GetTierResponse = ran(_ask("GetTier", pb.GetTierRequest()))
    print_json(_as_dict(now)) if as_json else _print_line(now)


@app.command()
def explain(as_json: AsJson = False) -> None:
    """Each signal, where the next tier begins and where this one ends."""
    now: pb.GetTierResponse = ran(_ask("GetTier", pb.GetTierRequest()))
    if as_json:
        print_json(_as_dict(now))
        return
    _print_line(now)
    out.print(now.why, highlight=False, soft_wrap=True)
    table("signal", "now", "next tier at", "ends below", rows=[_signal_row(each) for each in now.signals])


@app.command()
def watch(as_json: AsJson = False) -> None:
    """A line a second, until Ctrl-C."""
    with told():
        try:
            asyncio.run(_watch(as_json))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


@app.command()
def log(
    page_size: Annotated[int, typer.Option(help="at most so many")] = 20,
    page_token: Annotated[str, typer.Option(help="from the page before")] = "",
    as_json: AsJson = False,
) -> None:
    """Every change of the tier with the signal that caused it, newest first."""
    request = pb.ListTierChangesRequest(page_size=page_size, page_token=page_token)
    page: pb.ListTierChangesResponse = ran(_ask("ListTierChanges", request))
    if as_json:
        print_json(_as_dict(page))
        return
    rows = [[each.change_time.ToJsonString(), each.why, each.leader] for each in page.changes]
    table("time", "change", "leader", rows=rows)
    if page.next_page_token:
        out.print("more:", "--page-token", page.next_page_token, highlight=False)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="a policy file")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="what it would do under the present signals")] = False,
    as_json: AsJson = False,
) -> None:
    """What is wrong with a policy file, line by line; exit status 1 where anything is."""
    given: list[str] = []
    if dry_run:
        now: pb.GetTierResponse = ran(_ask("GetTier", pb.GetTierRequest()))
        signals = {each.name: each.value if each.HasField("value") else None for each in now.signals}
        given = ["--tier", _name(now.tier), "--signals", json.dumps(signals)]
    # The governor's own reader judges: there is no second one to differ from it.
    argv = [sys.executable, "-m", "governor.check_policy", str(file.resolve()), *given]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(done.stderr.strip())
    found = json.loads(done.stdout)
    if as_json:
        print_json(found)
        return
    out.print(f"{found['policy']} is good", highlight=False)
    for tier, off in found["off"].items():
        out.print(f"  {tier:<9}", "off:", ", ".join(off) or "nothing", highlight=False)
    for line in found["would"]:
        out.print(line, highlight=False, soft_wrap=True, markup=False)


async def _watch(as_json: bool) -> None:
    seen = False
    while True:
        try:
            now = await _ask("GetTier", pb.GetTierRequest())
        except (DependencyUnavailable, DeadlinePassed) as error:
            # A governor that restarts is no reason to stop watching; a first look that fails is.
            if not seen:
                raise
            err.print(error.message, style="yellow", highlight=False)
        else:
            seen = True
            print(json.dumps(_as_dict(now))) if as_json else _print_line(now, time.strftime("%H:%M:%S"))
            sys.stdout.flush()
        await asyncio.sleep(EVERY_SECONDS)


def _print_line(now: pb.GetTierResponse, *before: str) -> None:
    parts = [*before, _name(now.tier)]
    if now.HasField("since_time"):
        parts.append(f"since {now.since_time.ToJsonString()}")
    parts.append(f"off: {', '.join(now.features_off) or 'nothing'}")
    parts += [f"{each.name} {_value(each)}" for each in now.signals] if before else []
    if now.dry_run:
        parts.append("(dry run: nothing is switched)")
    silent = time.time() - now.look_time.seconds
    if now.leader and silent > NOBODY_LEADS_SECONDS:
        parts.append(f"(no governor leads for {silent:.0f} s: the last state stays)")
    out.print(*parts, highlight=False, soft_wrap=True, markup=False)


def _signal_row(signal: pb.TierSignal) -> list[str]:
    limits = [f"{getattr(signal, name):g}" if signal.HasField(name) else "–" for name in ("enter", "exit")]
    return [signal.name, _value(signal), *limits]


def _value(signal: pb.TierSignal) -> str:
    if not signal.HasField("value"):
        return "unknown"
    return ("≥ " if signal.at_least else "") + f"{signal.value:.1f}"


def _name(tier: "pb.Tier.ValueType") -> str:
    return pb.Tier.Name(tier).removeprefix("TIER_")


def _as_dict(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


async def _ask(method: str, request: Any) -> Any:
    return await ask(rpc.TierServiceStub, method, request)
