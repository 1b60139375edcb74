"""`python -m tools.providers`: serves, or reads and turns the knobs."""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from meshkit.settings import load
from tools.providers.knobs import PROVIDERS, AllKnobs, Knobs, read_knobs, write_knobs
from tools.providers.server import serve
from tools.providers.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 on bad arguments or knobs."""
    asked = _parser().parse_args(arguments)
    if asked.command is None:
        serve()
        return 0
    try:
        return _knobs(asked)
    except ValidationError as error:
        for each in error.errors():
            name = ".".join(str(part) for part in each["loc"])
            print(f"{name}: {each['msg']} (got {each['input']!r})", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.providers", description=__doc__)
    knobs = parser.add_subparsers(dest="command").add_parser("knobs", help="read or turn the knobs")
    actions = knobs.add_subparsers(dest="action", required=True)
    actions.add_parser("show", help="print all knobs as JSON")
    actions.add_parser("reset", help="all knobs to zero")
    turn = actions.add_parser("set", help="turn the knobs named; the others stay")
    turn.add_argument("provider", choices=(*PROVIDERS, "all"))
    for name in Knobs.model_fields:
        turn.add_argument(f"--{name.replace('_', '-')}", type=float)
    turn.add_argument("--seed", type=int)
    return parser


def _knobs(asked: argparse.Namespace) -> int:
    path = load(Settings).knobs
    if asked.action == "reset":
        write_knobs(path, AllKnobs())
    if asked.action == "set":
        write_knobs(path, _turned(read_knobs(path), asked))
    print(read_knobs(path).model_dump_json(indent=2))
    return 0


def _turned(knobs: AllKnobs, asked: argparse.Namespace) -> AllKnobs:
    given = {name: getattr(asked, name) for name in Knobs.model_fields}
    changes = {name: value for name, value in given.items() if value is not None}
    values = knobs.model_dump()
    for provider in PROVIDERS if asked.provider == "all" else (asked.provider,):
        values[provider] |= changes
    if asked.seed is not None:
        values["seed"] = asked.seed
    return AllKnobs.model_validate(values)
