"""A command on servers given by URL: `python -m tools.devstack lend -- COMMAND`.

The servers are those of a second mesh, which runs nothing else: so the tests prove that a mesh lives on servers it did
not start, and can still stop and kill them.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.devstack.command import run_to_its_end
from tools.devstack.control import down, up
from tools.devstack.spec import Mesh
from tools.devstack.table import DATA_SERVERS

OFFSET = 250
RUN_DIR, PORT_BASE = "PEAKMESH_LENT_RUN_DIR", "PEAKMESH_LENT_PORT_BASE"


def lend(command: Sequence[str]) -> int:
    """The command's exit status. The servers are stopped afterwards; their data stays for a look."""
    here = Mesh.of()
    lender = Mesh(here.run_dir / "lent", here.port_base + OFFSET)
    up(lender.run_dir, lender.port_base, list(DATA_SERVERS))
    try:
        return run_to_its_end(command, os.environ | urls(lender))
    finally:
        down(lender.run_dir, lender.port_base)


def urls(lender: Mesh) -> dict[str, str]:
    """Variables that point another mesh at the lender's servers, and tell its tests where those run."""
    settings = lender.settings
    return {
        "PEAKMESH_REDIS_URL": settings.redis,
        "PEAKMESH_DB_URL": settings.database,
        "PEAKMESH_KAFKA_BOOTSTRAP": settings.kafka,
        RUN_DIR: str(lender.run_dir),
        PORT_BASE: str(lender.port_base),
    }


def servers_of(mesh: Mesh, environment: Mapping[str, str] = os.environ) -> Mesh:
    """Whose processes the data servers of `mesh` are."""
    if RUN_DIR not in environment:
        return mesh
    return Mesh(Path(environment[RUN_DIR]), int(environment[PORT_BASE]))
