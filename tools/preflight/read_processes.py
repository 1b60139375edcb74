"""Our own processes: each asked as the mesh's supervisor asks it."""

import asyncio
from collections.abc import Mapping

from meshkit.http import SECONDS
from tools.devstack import Mesh, expected
from tools.devstack.probes import NotReadyError
from tools.devstack.spec import ProcessSpec
from tools.devstack.table import TABLE


async def read_processes(mesh: Mesh) -> Mapping[str, str]:
    """What is wrong with each process that should run; empty: nothing."""
    asked = {row.name: _asked(mesh, row) for row in TABLE if row.is_ours and row.name in expected(mesh)}
    return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


def ports_at_rest(mesh: Mesh) -> frozenset[int]:
    """Of the processes of ours that this mesh does without."""
    rows = [row for row in TABLE if row.is_ours and row.name not in expected(mesh)]
    return frozenset(mesh.ports[port] for row in rows for port in row.ports)


async def _asked(mesh: Mesh, row: ProcessSpec) -> str:
    if row.probe is None:
        return ""
    try:
        await asyncio.wait_for(row.probe(mesh), SECONDS)
    except NotReadyError as error:
        return str(error)
    except Exception as error:  # whatever a client raises where nobody is
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"no answer on port {mesh.ports[row.ports[0]]} ({words})"
    return ""
