"""The README's "Use it": the commands of its first block, line by line as they stand, on the mesh of the tests."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.terminal import environment, peakmesh
from tests.polling import eventually
from tools.devstack import Mesh
from tools.devstack.spec import ROOT

USE_IT = (ROOT / "README.md").read_text().split("\n## Use it\n")[1]
# The tests' mesh is up already; a scenario has tests of its own, which take their time.
LEFT_OUT = ("make up", "export PATH", "peakmesh fault run")


def lines() -> list[str]:
    found = re.search(r"(?:^    .+\n)+", USE_IT, re.MULTILINE)
    assert found
    return [line.strip() for line in found[0].splitlines() if not line.strip().startswith(LEFT_OUT)]


def run(commands: list[str], mesh: Mesh, folder: Path) -> list[str]:
    """What each line printed. Raises AssertionError with what was printed until a line failed."""
    script = "\n".join(f"echo '--- line {number}'\n{line}" for number, line in enumerate(commands))
    bash = ["bash", "-euo", "pipefail", "-c", script]
    env = environment(mesh)
    done = subprocess.run(bash, cwd=folder, env=env, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-1000:]}"
    return re.split(r"--- line \d+\n", done.stdout)[1:]


@pytest.mark.timeout(180)
async def test_the_readmes_commands_work_as_they_stand(mesh: Mesh, tmp_path: Path) -> None:
    # `make up`, on a mesh that runs: the demo catalogue.
    assert (await peakmesh("up")).exit_code == 0

    async def on_the_shelf() -> bool:
        return (await peakmesh("product", "show", "flash-phone")).exit_code == 0

    await eventually(on_the_shelf, every=0.5)
    commands = lines()
    printed = run(commands, mesh, tmp_path)

    def said(part: str) -> str:
        return printed[next(number for number, line in enumerate(commands) if part in line)]

    assert "flash-phone" in said("flahs phone")
    assert "TO_SHIP" in said("order watch")
    assert "QUEUED" in said("cart checkout")
    assert "money moved: debit" in said("order trace")
    assert "purchase-history is off" in said("toggles set")
    assert "purchase-history is on" in said("toggles clear")
    assert said("token issue").count(".") == 2
