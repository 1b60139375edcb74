"""How the command line speaks: JSON for programs, tables for people, one line for an error."""

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import typer
from google.protobuf.message import DecodeError
from rich.console import Console
from rich.table import Table

from meshkit.errors import DependencyUnavailable, PeakmeshError
from tools.devstack import DevstackError
from tools.sale.crowd import GeneratorError

T = TypeVar("T")
# On a pipe nobody folds lines: an order_id cut short is of no use.
_PIPE_WIDTH = 200
out = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
SaleId = Annotated[str, typer.Argument(help="as `sale open` printed it, or `sale list` does", show_default=False)]
OrderId = Annotated[str, typer.Argument(help="as `order place` printed it, or `order list` does", show_default=False)]


@contextmanager
def told() -> Iterator[None]:
    """What went wrong, in one line and exit status 1; Ctrl-C is 130."""
    try:
        yield
    except DependencyUnavailable as error:
        fail(f"{error.reason}: {error.message}; does the mesh run? `peakmesh status` tells")
    except PeakmeshError as error:
        fail(f"{error.reason}: {error.message}")
    except (DevstackError, GeneratorError, FileNotFoundError, DecodeError, ValueError, TimeoutError) as error:
        fail(str(error) or type(error).__name__)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None


def fail(words: str, status: int = 1) -> None:
    err.print(words, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def ran(work: Coroutine[Any, Any, T]) -> T:
    """Runs async work; its errors are told."""
    with told():
        return asyncio.run(work)
    raise AssertionError("told() ends the process")


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def table(*headings: str, rows: list[list[str]]) -> None:
    shown = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    out.print(shown)
