"""A process that dies at a point of its code, once, and is started again by the dev stack."""

import asyncio
from dataclasses import dataclass

from tools.devstack import Mesh, restart_process, status, wait_ready


@dataclass(frozen=True)
class Doomed:
    name: str
    mesh: Mesh
    pid: int | None

    @classmethod
    async def at(cls, point: str, name: str, mesh: Mesh) -> "Doomed":
        await asyncio.to_thread(restart_process, name, {"PEAKMESH_CRASH_AT": point}, mesh)
        return cls(name, mesh, _pid_of(name, mesh))

    def has_died(self) -> bool:
        return _pid_of(self.name, self.mesh) != self.pid

    async def is_back(self) -> None:
        """Returns when another one is ready in its place."""
        await asyncio.to_thread(wait_ready, self.name, self.mesh, not_pid=self.pid)


def _pid_of(name: str, mesh: Mesh) -> int | None:
    return next(row.pid for row in status(mesh.run_dir, mesh.port_base) if row.name == name)
