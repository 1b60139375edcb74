"""`peakmesh fault set|list|clear|run`: make a part of the running mesh slow or broken."""

from typing import Annotated

import typer

from envoy.fault_targets import TARGETS
from meshkit.settings import ProcessSettings
from tools.chaos.expiry import arm_for, clear, seconds_left
from tools.chaos.faults import Fault, armed, known_target, milliseconds
from tools.cli import fault_run
from tools.cli.console import AsJson, out, print_json, table, told

app = typer.Typer(help="Faults of the running mesh.", no_args_is_help=True)
app.command()(fault_run.run)
NAMES = ", ".join(TARGETS)


@app.command("set")
def set_(
    target: Annotated[str, typer.Argument(help=NAMES)],
    abort: Annotated[str, typer.Option(help="a gRPC status instead of an answer: UNAVAILABLE, …")] = "",
    delay: Annotated[str, typer.Option(help="before the answer: 400ms, 1.5s")] = "",
    percent: Annotated[int, typer.Option(help="how many of the calls")] = 100,
    for_: Annotated[str, typer.Option("--for", help="how long: 60s, 2m; without it until `fault clear`")] = "",
) -> None:
    """Arm a fault, in place of one this target has."""
    settings = ProcessSettings()
    with told():
        fault = Fault(target, percent, abort.upper(), milliseconds(delay) if delay else 0)
        seconds = milliseconds(for_) / 1000 if for_ else None
        arm_for(settings.run_dir, settings.ports["admin"], fault, seconds)
    ends = f"for {for_}" if for_ else f"until `peakmesh fault clear {target}`"
    out.print(f"{target}: {fault.words}, {ends}", highlight=False)


@app.command("list")
@app.command("ls", help="The same as `list`.")
def list_(as_json: AsJson = False) -> None:
    """What is armed now, and for how long."""
    settings = ProcessSettings()
    with told():
        faults = armed(settings.ports["admin"])
        left = {fault.target: seconds_left(settings.run_dir, fault.target) for fault in faults}
    if as_json:
        print_json(
            [
                {
                    "target": fault.target,
                    "abort": fault.abort,
                    "delay_ms": fault.delay_ms,
                    "percent": fault.percent,
                    "seconds_left": left[fault.target],
                }
                for fault in faults
            ]
        )
        return
    if not faults:
        out.print("nothing is armed")
        return
    shown = {target: "until cleared" if seconds is None else f"{seconds:.0f} s" for target, seconds in left.items()}
    rows = [[each.target, TARGETS[each.target], each.words, shown[each.target]] for each in faults]
    table("target", "methods", "fault", "ends in", rows=rows)


@app.command("clear")
def clear_(target: Annotated[str, typer.Argument(help=f"{NAMES}; all without it")] = "") -> None:
    """Disarm a target, or all of them."""
    settings = ProcessSettings()
    with told():
        clear(settings.run_dir, settings.ports["admin"], [known_target(target)] if target else list(TARGETS))
    out.print(f"{target or 'everything'} is as it should be")
