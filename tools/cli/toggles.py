"""`peakmesh toggles list|set|clear|log|watch`: features switched off and on by hand."""

import json
from enum import StrEnum
from typing import Annotated, Any
from uuid import uuid4

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict

from peakmesh.ops.v1 import toggle_service_pb2 as pb
from peakmesh.ops.v1 import toggle_service_pb2_grpc as rpc
from tools.cli.console import AsJson, out, print_json, ran, table, told
from tools.cli.operator import ask
from tools.cli.times import parse_span
from tools.cli.toggles_watch import watch_toggles

app = typer.Typer(help="Features switched off and on by hand, and why they are as they are.", no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="for the journal")]


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


@app.command("list")
@app.command("ls", help="The same as `list`.")
def list_(as_json: AsJson = False) -> None:
    """Every feature, in the order in which load switches them off."""
    toggles = ran(_ask("ListToggles", pb.ListTogglesRequest())).toggles
    if as_json:
        print_json([as_dict(toggle) for toggle in toggles])
        return
    table("feature", "is", "by", "until", "why", "when it is off", rows=[_row(toggle) for toggle in toggles])


@app.command("set")
def set_(
    flag: Annotated[str, typer.Argument(help="as `list` names it")],
    state: Annotated[Switch, typer.Argument(help="on or off")],
    reason: Reason,
    hold: Annotated[str, typer.Option("--for", help="90s, 10m, 2h, 1d; default: until `clear`")] = "",
    as_json: AsJson = False,
) -> None:
    """Override a feature: it holds before the governor's own decisions."""
    request = pb.SetToggleRequest(request_id=str(uuid4()), flag=flag, on=state is Switch.ON, reason=reason)
    with told():
        if hold:
            request.hold.CopyFrom(Duration(seconds=int(parse_span(hold, "--for").total_seconds())))
    _show(ran(_ask("SetToggle", request)).toggle, as_json)


@app.command()
def clear(
    flag: Annotated[str, typer.Argument(help="as `list` names it")], reason: Reason, as_json: AsJson = False
) -> None:
    """Take an override away: the governor decides again."""
    request = pb.ClearToggleRequest(request_id=str(uuid4()), flag=flag, reason=reason)
    _show(ran(_ask("ClearToggle", request)).toggle, as_json)


@app.command()
def log(
    page_size: Annotated[int, typer.Option(help="at most so many", min=1, max=500)] = 50,
    page_token: Annotated[str, typer.Option(help="from the page before")] = "",
    as_json: AsJson = False,
) -> None:
    """Who changed what, why, and by which signal; newest first."""
    page = ran(_ask("ListToggleChanges", pb.ListToggleChangesRequest(page_size=page_size, page_token=page_token)))
    if as_json:
        print_json(as_dict(page))
        return
    for change in page.changes:
        print(line(change))
    if page.next_page_token:
        out.print("more:", "--page-token", page.next_page_token, highlight=False)


@app.command()
def watch(as_json: AsJson = False) -> None:
    """Each change as it happens, until Ctrl-C."""

    def show(change: pb.ToggleChange) -> None:
        print(json.dumps(as_dict(change)) if as_json else line(change), flush=True)

    watch_toggles(_ask, show)


async def _ask(method: str, request: Any) -> Any:
    return await ask(rpc.ToggleServiceStub, method, request)


def as_dict(message: Any) -> dict[str, Any]:
    shown: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return shown


def line(change: pb.ToggleChange) -> str:
    """`2026-11-27T00:00:01Z purchase-history off by governor: tier PEAK (accept rate 900/s)`."""
    until = f" until {change.expire_time.ToJsonString()}" if change.HasField("expire_time") else ""
    signal = f" ({change.signal})" if change.signal else ""
    what = f"{change.flag} {change.what}{until} by {change.who}"
    return f"{change.change_time.ToJsonString()} {what}: {change.why}{signal}"


def _show(toggle: pb.Toggle, as_json: bool) -> None:
    if as_json:
        print_json(as_dict(toggle))
    else:
        out.print(toggle.flag, "is", "on" if toggle.on else "off", "by", _by(toggle), highlight=False)


def _row(toggle: pb.Toggle) -> list[str]:
    until = toggle.expire_time.ToJsonString() if toggle.HasField("expire_time") else "–"
    why = f"{toggle.why} {toggle.signal}".strip() or "–"
    return [toggle.flag, "on" if toggle.on else "off", _by(toggle), until, why, toggle.when_off]


def _by(toggle: pb.Toggle) -> str:
    return toggle.who or "default"
