"""`peakmesh toggles watch`: the journal's end, followed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import typer

from meshkit.errors import DeadlinePassed, DependencyUnavailable
from peakmesh.ops.v1 import toggle_service_pb2 as pb
from tools.cli.console import err, told

EVERY_SECONDS = 0.5
PAGE = 500
Ask = Callable[[str, Any], Awaitable[Any]]
Show = Callable[[pb.ToggleChange], None]


def watch_toggles(ask: Ask, show: Show) -> None:
    """Ctrl-C is its usual end: exit status 0."""
    with told():
        try:
            asyncio.run(_watch(ask, show))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


async def _watch(ask: Ask, show: Show) -> None:
    last: str | None = None
    while True:
        try:
            page = await ask("ListToggleChanges", pb.ListToggleChangesRequest(page_size=PAGE))
        except (DependencyUnavailable, DeadlinePassed) as error:
            # A governor that restarts is no reason to stop watching; a first look that fails is.
            if last is None:
                raise
            err.print(error.message, style="yellow", highlight=False)
        else:
            for change in news(page.changes, last):
                show(change)
            last = page.changes[0].entry_id if page.changes else ""
        await asyncio.sleep(EVERY_SECONDS)


def news(newest_first: Any, last: str | None) -> list[pb.ToggleChange]:
    """What came after `last`, oldest first; nothing at the first look (None)."""
    if last is None:
        return []
    ids = [change.entry_id for change in newest_first]
    fresh = newest_first[: ids.index(last)] if last in ids else newest_first
    return list(reversed(fresh))
