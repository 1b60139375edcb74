"""Calls at an even rate whatever the answers do: an open loop, so that a slow mesh is not asked less."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from meshkit.errors import PeakmeshError
from tools.chaos.calls import CALLS, GOOD, Stage
from tools.chaos.timeline import Call, Timeline

# Past this many calls under way the generator would measure itself.
MOST_AT_ONCE = 2_000


class OverrunError(ValueError):
    """More calls are under way than one generator can have."""


async def load(
    stage: Stage, name: str, rate: float, timeline: Timeline, clock: Callable[[], float], stop: asyncio.Event
) -> None:
    """From now on, each call by a new buyer. Returns once it is told to stop and the last answer is there. Raises
    OverrunError."""
    async with asyncio.TaskGroup() as group:
        began, number, under_way = clock(), 0, set[asyncio.Task[None]]()
        while not stop.is_set():
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - clock()))
            if len(under_way) >= MOST_AT_ONCE:
                raise OverrunError(f"{MOST_AT_ONCE} calls of {name} are under way: lower its rate")
            task = group.create_task(_one(stage, name, due, timeline, clock))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1


async def _one(stage: Stage, name: str, due: float, timeline: Timeline, clock: Callable[[], float]) -> None:
    try:
        outcome = await CALLS[name](stage, f"chaos-{uuid4().hex[:16]}")
        ok = outcome in GOOD
    except PeakmeshError as error:
        outcome, ok = error.reason, False
    timeline.calls.append(Call(due, name, (clock() - due) * 1000, ok, outcome))
