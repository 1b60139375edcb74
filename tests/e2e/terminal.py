"""The command line, as an operator's terminal runs it against the mesh of the tests."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from tools.cli.__main__ import app
from tools.devstack import Mesh


async def peakmesh(*words: str) -> Result:
    """In a thread: a command has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(words))


async def peakmesh_says(*words: str, status: int = 0) -> str:
    """What it prints. Raises AssertionError where it ends with another exit status."""
    done = await peakmesh(*words)
    assert done.exit_code == status, done.output
    return done.stdout


async def peakmesh_json(*words: str, status: int = 0) -> Any:
    """What it prints with --json."""
    return json.loads(await peakmesh_says(*words, "--json", status=status))


def environment(mesh: Mesh) -> dict[str, str]:
    """For a process of its own: `peakmesh` on its path, and this mesh."""
    here = {"PEAKMESH_RUN_DIR": str(mesh.run_dir), "PEAKMESH_PORT_BASE": str(mesh.port_base)}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | here | {"PATH": path}
