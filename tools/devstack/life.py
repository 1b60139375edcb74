"""The life of one process: started once what it needs is ready, probed, restarted after a crash, stopped when told."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tools.devstack.logfile import tail
from tools.devstack.priority import give_way
from tools.devstack.spec import ROOT, DevstackError, Mesh, ProcessSpec
from tools.devstack.state import Entry, Pid
from tools.devstack.table import environment

_PROBE_EVERY = 0.05


@dataclass(frozen=True)
class Policy:
    """Seconds. A crash within `quick_seconds` of a start is a quick one; `give_up_after` of them in a row end all."""

    first_delay: float = 0.2
    longest_delay: float = 5.0
    quick_seconds: float = 10.0
    give_up_after: int = 5


class GaveUpError(Exception):
    """The process cannot be kept running; the message names it and ends with the last lines of its log."""


class Life:
    """One process and its row in the state. `changed` is called after every change of `entry`."""

    def __init__(self, mesh: Mesh, spec: ProcessSpec, policy: Policy, changed: Callable[[], None]) -> None:
        self.mesh, self.spec, self.policy = mesh, spec, policy
        self.entry = Entry()
        self.ready = asyncio.Event()
        self.held = False
        self.env: Mapping[str, str] = {}
        self._once_env: Mapping[str, str] = {}
        self._commanded = asyncio.Event()
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._quick_crashes = 0
        self._started = 0.0

    async def run(self, needs: list["Life"]) -> None:
        """Returns when a `once` row is done, else never. Raises GaveUpError, DevstackError."""
        for need in needs:
            await need.ready.wait()
        if self.spec.call:
            await self._call(self.spec.call)
            return
        while True:
            await self._until_wanted()
            if self.spec.prepare:
                await asyncio.to_thread(self.spec.prepare, self.mesh)
            crashed = await self._one_run()
            if self.spec.once:
                return
            self.entry.restarts += 1
            if crashed:
                await self._back_off()

    async def stop(self) -> None:
        """SIGTERM, the grace of the row, SIGKILL."""
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a paused process would not hear the first signal
            try:
                await asyncio.wait_for(process.wait(), self.spec.stop_grace)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self.entry.state not in ("done", "failed"):
            self._set("stopped")

    def hold(self, held: bool) -> None:
        """Keeps the process stopped, or lets it run again."""
        if held != self.held:
            self.held = held
            self._commanded.set()

    def restart(self, env: Mapping[str, str]) -> None:
        """One restart; `env` is for its first start alone."""
        self._once_env = env
        self._commanded.set()

    async def _until_wanted(self) -> None:
        self._commanded.clear()
        while self.held:
            self._set("held")
            await self._commanded.wait()
            self._commanded.clear()

    async def _call(self, call: Callable[[Mesh], Awaitable[None]]) -> None:
        self._started = time.monotonic()
        self._set("starting")
        try:
            await call(self.mesh)
        except Exception as error:
            self.entry.state = "failed"
            raise DevstackError(f"{self.spec.name} failed: {type(error).__name__}: {error}") from error
        self._set_ready("done")

    async def _one_run(self) -> bool:
        """Starts the process and stays until it has ended. True: it crashed; False: it was told to stop, or is done."""
        self._started = time.monotonic()
        process = await self._start()
        probing = asyncio.create_task(self._become_ready())
        try:
            crashed = await self._until_ended(process, probing)
        finally:
            probing.cancel()
        if self.spec.once:
            self._finish(process)
            return False
        self.ready.clear()
        return crashed

    async def _start(self) -> asyncio.subprocess.Process:
        log = self.mesh.log_file(self.spec.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        env = environment(self.mesh, self.spec) | dict(self.env) | dict(self._once_env)
        self._once_env = {}
        uid = self.spec.user()
        who: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        with log.open("ab") as out:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self.spec.argv(self.mesh),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=env,
                    cwd=ROOT,
                    start_new_session=True,  # a Ctrl-C in somebody's terminal is not for it
                    **who,
                )
            except OSError as error:
                raise DevstackError(f"{self.spec.name} could not be started: {error}.") from error
        self.entry.pid = Pid.of(self._process.pid)
        self._set("starting")
        return self._process

    async def _become_ready(self) -> None:
        """Returns when the probe passes. Raises GaveUpError after the row's time. A `once` row is ready at its end."""
        if self.spec.once:
            return
        last: Exception | None = None
        while time.monotonic() - self._started < self.spec.ready_within:
            try:
                if self.spec.probe:
                    await self.spec.probe(self.mesh)
            except Exception as error:  # whatever a client raises against a server that is not there yet
                last = error
                await asyncio.sleep(_PROBE_EVERY)
            else:
                self._set_ready()
                return
        why = f"{type(last).__name__}: {last}" if last else "no answer"
        self._give_up(f"was not ready after {self.spec.ready_within:.0f} s ({why})")

    async def _until_ended(self, process: asyncio.subprocess.Process, probing: asyncio.Task[None]) -> bool:
        ended = asyncio.create_task(process.wait())
        commanded = asyncio.create_task(self._commanded.wait())
        waiting: set[asyncio.Task[Any]] = {ended, commanded, probing}
        try:
            while True:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if probing in done:
                    waiting.discard(probing)
                    probing.result()
                if ended in done:
                    return not self.held
                if commanded in done:
                    await self.stop()
                    return False
        finally:
            ended.cancel()
            commanded.cancel()

    def _finish(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode != 0:
            self._give_up(f"ended with status {process.returncode}")
        self._set_ready("done")

    async def _back_off(self) -> None:
        quick = time.monotonic() - self._started < self.policy.quick_seconds
        self._quick_crashes = self._quick_crashes + 1 if quick else 1
        status = self._process.returncode if self._process else None
        if self._quick_crashes >= self.policy.give_up_after:
            self._give_up(f"crashed {self._quick_crashes} times in a row, at last with status {status}")
        self._set("backing off")
        await asyncio.sleep(min(self.policy.longest_delay, self.policy.first_delay * 2 ** (self._quick_crashes - 1)))

    def _set_ready(self, state: str = "ready") -> None:
        if self.spec.nice and self.entry.pid:
            give_way(self.entry.pid.number, self.spec.nice)
        self.entry.seconds_to_ready = round(time.monotonic() - self._started, 2)
        self.ready.set()
        self._set(state)

    def _set(self, state: str) -> None:
        self.entry.state = state
        if state in ("stopped", "held", "backing off", "done", "failed"):
            self.entry.pid = None
        self._changed()

    def _give_up(self, what: str) -> NoReturn:
        if self.entry.state == "starting":
            self.entry.state = "failed"
        log = self.mesh.log_file(self.spec.name)
        raise GaveUpError(f"{self.spec.name} {what}; the end of {log}:\n{tail(log)}")
