"""The progress of a sale: a line every two seconds on a pipe, a live table on a terminal."""

import time
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from tools.sale.watch import Sample

COLUMNS = ("offered", "accepted", "pending", "sold_out", "errors", "backlog", "persisted", "paid")
PLAIN_SECONDS = 2.0


class Progress:
    """`write` prints one line. Renders itself as the live table."""

    def __init__(self, write: Callable[[str], None], plain: bool) -> None:
        self._write, self._plain = write, plain
        self._latest: Sample | None = None
        self._next = 0.0

    def say(self, words: str) -> None:
        self._write(words)

    def show(self, sample: Sample) -> None:
        self._latest = sample
        if self._plain and time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_SECONDS
            self._write(" ".join([f"{sample.at:6.1f} s", *(f"{name} {getattr(sample, name)}" for name in COLUMNS)]))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = Table("s", *COLUMNS, box=None, header_style="bold")
        if self._latest is not None:
            shown.add_row(f"{self._latest.at:.1f}", *(str(getattr(self._latest, name)) for name in COLUMNS))
        yield shown
