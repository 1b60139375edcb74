"""The parent of every process of a mesh: `python -m tools.devstack.supervise`, started by `up`, ended by SIGTERM."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping

from tools.devstack.life import GaveUpError, Life, Policy
from tools.devstack.logfile import bound_logs
from tools.devstack.order import closure, dependents
from tools.devstack.spec import DevstackError, Mesh, ProcessSpec
from tools.devstack.state import Pid, StackState, Wanted, read_wanted, wanted_file, write_state
from tools.devstack.table import table_of

_LOOK_EVERY = 0.05
_LOGS_EVERY = 5.0


class Supervisor:
    """Brings the mesh to what `wanted.json` says and keeps it there; tells how it is in `state.json`."""

    def __init__(self, mesh: Mesh, table: Mapping[str, ProcessSpec], policy: Policy) -> None:
        self._mesh, self._table, self._policy = mesh, table, policy
        self._lives: dict[str, Life] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._state = StackState(supervisor=Pid.of(os.getpid()))
        self._restarts_done: dict[str, int] = {}
        self._read_at = 0
        self._logs_at = 0.0
        self._asked = time.monotonic()

    async def run(self, stop: asyncio.Event) -> str | None:
        """Until `stop` (None), or until a process cannot be kept running (the sentence that says so)."""
        try:
            while not stop.is_set():
                self._follow_wanted()
                for task in self._tasks.values():
                    if task.done():
                        task.result()
                self._bound_logs()
                await asyncio.sleep(_LOOK_EVERY)
        except (GaveUpError, DevstackError) as error:
            self._state.failure = str(error)
        await self._stop_all()
        self._state.supervisor = None
        self._tell()
        return self._state.failure

    def _bound_logs(self) -> None:
        if time.monotonic() > self._logs_at:
            self._logs_at = time.monotonic() + _LOGS_EVERY
            bound_logs(self._mesh.run_dir / "logs")

    def _follow_wanted(self) -> None:
        changed = wanted_file(self._mesh).stat().st_mtime_ns
        if changed == self._read_at:
            return
        self._read_at = changed
        wanted = read_wanted(self._mesh)
        names = closure(self._table, wanted.names)
        for name in names:
            if name not in self._lives:
                self._begin(name)
        for name, life in self._lives.items():
            self._command(name, life, wanted)
            life.hold(name in wanted.held or name not in names)
        self._tell()

    def _begin(self, name: str) -> None:
        if self._state.warm_seconds is not None:
            self._state.warm_seconds, self._asked = None, time.monotonic()
        life = Life(self._mesh, self._table[name], self._policy, self._tell)
        self._lives[name] = life
        self._state.processes[name] = life.entry
        # closure() is in starting order: whatever this one needs is there already.
        needs = [self._lives[needed] for needed in self._table[name].depends_on]
        self._tasks[name] = asyncio.create_task(life.run(needs), name=name)

    def _command(self, name: str, life: Life, wanted: Wanted) -> None:
        life.env = wanted.env.get(name, {})
        number, env = wanted.restarts.get(name, (0, {}))
        if number > self._restarts_done.get(name, 0):
            self._restarts_done[name] = number
            life.restart(env)

    def _tell(self) -> None:
        settled = all(entry.state in ("ready", "done", "held") for entry in self._state.processes.values())
        if settled and self._state.warm_seconds is None and self._lives:
            self._state.warm_seconds = round(time.monotonic() - self._asked, 2)
        write_state(self._mesh, self._state)

    async def _stop_all(self) -> None:
        """Each once everything that needs it has stopped."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        stopping: dict[str, asyncio.Task[None]] = {}

        async def stop_one(name: str) -> None:
            await asyncio.gather(*(stopping[other] for other in dependents(self._table, name) if other in stopping))
            await self._lives[name].stop()

        for name in reversed(list(self._lives)):
            stopping[name] = asyncio.create_task(stop_one(name))
        await asyncio.gather(*stopping.values())


async def supervise(mesh: Mesh, table: Mapping[str, ProcessSpec], policy: Policy) -> int:
    """Exit status: 0 when told to stop, 1 when it gave up."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    failure = await Supervisor(mesh, table, policy).run(stop)
    if failure:
        print(failure, file=sys.stderr)
    return 1 if failure else 0


if __name__ == "__main__":
    here = Mesh.of()
    raise SystemExit(asyncio.run(supervise(here, table_of(here), Policy())))
