"""Plays a scenario: load and watch from the first second to the last, actions at their times, then the verdict."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from meshkit.ports import Ports
from tools.chaos.act import Acting
from tools.chaos.calls import CALLS, Stage
from tools.chaos.expect_calls import Back, Settles
from tools.chaos.load import load
from tools.chaos.scenario import HEALING, Action, Arm, Calm, Clear, Scenario, Storm
from tools.chaos.timeline import Done, Timeline
from tools.chaos.verdict import Verdict
from tools.chaos.watch import at_rest, watch

POLL_SECONDS = 0.25
REST_POLL_SECONDS, REST_WITHIN_SECONDS = 0.1, 60.0
# What is that late is told as it is; the run does not wait for it, only for the breakers.
LATE_SECONDS = 5.0


@dataclass(frozen=True)
class Played:
    timeline: Timeline
    verdicts: list[Verdict]

    @property
    def held(self) -> bool:
        return all(each.held for each in self.verdicts)


async def play(
    scenario: Scenario,
    stage: Stage,
    acting: Acting,
    ports: Ports,
    unsettled: Callable[[], Awaitable[int]],
    tell: Callable[[str], None],
) -> Played:
    """`unsettled`: accepted orders that have not ended. Raises ValueError for a load we do not know, and what an
    action raises; `acting` is the caller's to leave."""
    unknown = sorted(scenario.calls - set(CALLS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such call; there are: {', '.join(CALLS)}")
    try:
        with _heap_at_rest():
            timeline = await _played(scenario, stage, acting, ports, unsettled, tell)
    except BaseExceptionGroup as group:
        raise first_of(group) from None
    timeline.calls.sort(key=lambda each: each.at)
    return Played(timeline, [each.judge(timeline) for each in scenario.expects])


@contextmanager
def _heap_at_rest() -> Iterator[None]:
    """What is on the heap already is no garbage: to look through it takes 0.12 to 0.19 s in a session of all
    tests, and ten calls at once would be told as that much slower than they were."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def first_of(error: BaseException) -> BaseException:
    """What went wrong first in a task group, or in one within it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _played(
    scenario: Scenario,
    stage: Stage,
    acting: Acting,
    ports: Ports,
    unsettled: Callable[[], Awaitable[int]],
    tell: Callable[[str], None],
) -> Timeline:
    timeline, began = Timeline(), time.monotonic()

    def clock() -> float:
        return time.monotonic() - began

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(timeline, ports, clock))
        loads = Loads(lambda call, rate, stop: group.create_task(load(stage, call, rate, timeline, clock, stop)))
        for call, rate in scenario.load.items():
            loads.begin(call, rate)
        late = await _rest(scenario.actions[0].at if scenario.actions else 0.0, timeline, clock)
        for action in scenario.actions:
            await asyncio.sleep(max(0.0, action.at + late - clock()))
            await _act(action, acting, loads, timeline, clock, tell)
        await _after(scenario, timeline, clock)
        await loads.end()
        timeline.ended = clock()
        watching.cancel()
    await _settle(scenario, timeline, unsettled, clock)
    return timeline


async def _rest(until: float, timeline: Timeline, clock: Callable[[], float]) -> float:
    """Waits for so many seconds with every breaker closed: what is open before a fault says nothing about it, and such
    seconds are not healthy ones. Answers by how many seconds all actions are late for that. Raises ValueError."""
    while clock() - timeline.healthy_from < until:
        if clock() > until + REST_WITHIN_SECONDS:
            raise ValueError("a breaker is open without any fault: the mesh is too busy, or something in it is down")
        await asyncio.sleep(min(REST_POLL_SECONDS, max(0.0, until - clock() + timeline.healthy_from)))
        if not at_rest(timeline):
            timeline.healthy_from = clock()
    return timeline.healthy_from


class Loads:
    """The loads under way, by call. `start` makes a task of one, which ends once its event is set."""

    def __init__(self, start: Callable[[str, float, asyncio.Event], asyncio.Task[None]]) -> None:
        self._start = start
        self._running: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    def begin(self, call: str, rate: float) -> None:
        stop = asyncio.Event()
        self._running[call] = self._start(call, rate, stop), stop

    async def end(self, *calls: str) -> None:
        """All where none is named. Returns with the last answer."""
        ending = [self._running.pop(call) for call in calls or list(self._running)]
        for _, stop in ending:
            stop.set()
        if ending:
            await asyncio.wait([task for task, _ in ending])


async def _act(
    action: Action,
    acting: Acting,
    loads: Loads,
    timeline: Timeline,
    clock: Callable[[], float],
    tell: Callable[[str], None],
) -> None:
    begun = clock()
    if isinstance(action, Storm):
        loads.begin(action.call, action.rate)
    elif isinstance(action, Calm):
        await loads.end(action.call)
    else:
        await acting(action)
    target = action.target if isinstance(action, Arm | Clear) else ""
    timeline.done.append(Done(begun, clock(), action.words, action.do in HEALING, target))
    tell(f"{begun:5.1f} s  {action.words}")


async def _after(scenario: Scenario, timeline: Timeline, clock: Callable[[], float]) -> None:
    """Until all is well again, and so many seconds of that."""
    back = [each for each in scenario.expects if isinstance(each, Back)]
    over = well_from = timeline.ended = clock()
    while timeline.ended - well_from < scenario.after:
        await asyncio.sleep(POLL_SECONDS)
        timeline.ended = clock()
        taken = timeline.ended - over
        back = [each for each in back if taken < each.within + LATE_SECONDS and not each.judge(timeline).held]
        if back or not at_rest(timeline):
            well_from = timeline.ended
            if taken > REST_WITHIN_SECONDS:
                return
    timeline.well_from = well_from


async def _settle(
    scenario: Scenario, timeline: Timeline, unsettled: Callable[[], Awaitable[int]], clock: Callable[[], float]
) -> None:
    """Waits only where the scenario asserts it."""
    patience = max((each.within for each in scenario.expects if isinstance(each, Settles)), default=None)
    while patience is not None:
        timeline.unsettled = await unsettled()
        timeline.settled_after = clock() - timeline.ended
        if timeline.unsettled == 0 or timeline.settled_after >= patience:
            return
        await asyncio.sleep(POLL_SECONDS)
