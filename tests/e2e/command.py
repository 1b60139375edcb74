"""`peakmesh …` as an operator types it: a process of its own, on the mesh of the tests."""

import asyncio
import os
import sys

from meshkit.settings import ProcessSettings


async def peakmesh(settings: ProcessSettings, *words: str, status: int = 0) -> str:
    """What it printed. Raises AssertionError where it ends with another exit status."""
    environment = os.environ | {
        "PEAKMESH_PORT_BASE": str(settings.port_base),
        "PEAKMESH_RUN_DIR": str(settings.run_dir),
        # Wide enough that no table folds a line.
        "COLUMNS": "400",
    }
    command = (sys.executable, "-m", "tools.cli", *words)
    pipe = asyncio.subprocess.PIPE
    run = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    printed, complained = await run.communicate()
    assert run.returncode == status, f"peakmesh {' '.join(words)}: {complained.decode()}"
    return printed.decode()
