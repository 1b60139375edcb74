"""What a test measured is told at the end of a quiet run, whether it passed or not."""

import subprocess
import sys
from pathlib import Path

from tools.devstack.spec import ROOT

TESTS = """
def test_that_passes(figure):
    figure("p99 4.2 ms")
    figure("12 of 12")

def test_that_fails(figure):
    figure("p99 9.9 s")
    assert False

def test_that_tells_nothing():
    pass
"""


def test_figures_are_told_by_test(tmp_path: Path) -> None:
    (tmp_path / "test_made.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", str(tmp_path), str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    told = run.stdout.split(" figures ", 1)[1].splitlines()[1:6]
    assert told == [
        "test_made.py::test_that_fails",
        "    p99 9.9 s",
        "test_made.py::test_that_passes",
        "    p99 4.2 ms",
        "    12 of 12",
    ]
