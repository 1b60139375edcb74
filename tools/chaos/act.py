"""Does what a scenario's actions say, and undoes what is still done when it ends, however it ends."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tools.chaos.expiry import arm_for, clear
from tools.chaos.scenario import Arm, Clear, OnProcess

# A fault outlives a run that is killed by no more than this.
LONGEST_SECONDS = 300.0


class Processes(Protocol):
    """Single processes of the mesh by name. All may block; `stop` and `start` until it is so."""

    def stop(self, name: str) -> None: ...
    def start(self, name: str) -> None: ...
    def crash(self, name: str) -> None: ...
    def freeze(self, name: str) -> None: ...
    def thaw(self, name: str) -> None: ...
    def restart(self, name: str) -> None: ...


class Acting:
    """`async with`: leaves the mesh as it was, also after Ctrl-C and errors. `failed`: what could not be undone."""

    def __init__(self, processes: Processes, run_dir: Path, admin_port: int) -> None:
        self._processes, self._run_dir, self._admin_port = processes, run_dir, admin_port
        self._undo: dict[str, Callable[[], None]] = {}
        self.failed: list[str] = []

    async def __aenter__(self) -> "Acting":
        return self

    async def __aexit__(self, *_: object) -> None:
        for what, undo in reversed(self._undo.items()):
            try:
                await asyncio.to_thread(undo)
            except Exception as error:  # the others must be undone all the same
                self.failed.append(f"{what}: {error}")
        self._undo.clear()

    async def __call__(self, action: Arm | Clear | OnProcess) -> None:
        """Raises what the mesh's tools raise: an unknown process, no Envoy."""
        await (self._on_process(action) if isinstance(action, OnProcess) else self._fault(action))

    async def _fault(self, action: Arm | Clear) -> None:
        target = action.target
        if isinstance(action, Arm):
            # Before it is armed: a run that ends in between has nothing to leave behind.
            self._undo[f"clear {target}"] = lambda: clear(self._run_dir, self._admin_port, [target])
            await asyncio.to_thread(arm_for, self._run_dir, self._admin_port, action.fault, LONGEST_SECONDS)
            return
        await asyncio.to_thread(clear, self._run_dir, self._admin_port, [target])
        self._undo.pop(f"clear {target}", None)

    async def _on_process(self, action: OnProcess) -> None:
        name, mesh = action.process, self._processes
        doing = {
            "kill": (mesh.stop, mesh.start, ""),
            "freeze": (mesh.freeze, mesh.thaw, ""),
            "start": (mesh.start, None, "kill"),
            "thaw": (mesh.thaw, None, "freeze"),
            "crash": (mesh.crash, None, ""),
            "restart": (mesh.restart, None, ""),
        }
        do, back, undone = doing[action.do]
        if back is not None:
            self._undo[f"{action.do} {name}"] = lambda: back(name)
        await asyncio.to_thread(do, name)
        self._undo.pop(f"{undone} {name}", None)
