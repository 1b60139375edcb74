"""Old sales are forgotten, interrupted ones with them; the latest stay, and one that runs stays always."""

import os
import subprocess
import sys
from pathlib import Path

from tools.sale.kept import forget_old_sales, is_running, running

HOLD = """
import sys
from pathlib import Path
from tools.sale.kept import running
with running(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def sales(folder: Path, *days: int, verdict: bool = True) -> list[str]:
    names = [f"sale-202611{day:02}-120000-abcdef" for day in days]
    for name in names:
        (folder / name).mkdir()
        if verdict:
            (folder / name / "verdict.json").write_text("{}")
    return names


def test_the_latest_sales_stay_and_the_interrupted_go_with_the_old(tmp_path: Path) -> None:
    old, interrupted = sales(tmp_path, 1, 3), sales(tmp_path, 2, verdict=False)
    kept = sales(tmp_path, 4, 5)
    assert forget_old_sales(tmp_path, 2) == sorted([*old, *interrupted])
    assert sorted(path.name for path in tmp_path.iterdir()) == kept
    assert forget_old_sales(tmp_path, 2) == []


def test_a_sale_that_runs_in_another_process_stays_until_that_process_is_gone(tmp_path: Path) -> None:
    [name] = sales(tmp_path, 1, verdict=False)
    command = [sys.executable, "-c", HOLD, str(tmp_path / name)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert forget_old_sales(tmp_path, 0) == []
        other.kill()
        other.wait()
    assert (tmp_path / name / "running").exists(), "killed, it left its mark, and nothing holds that"
    assert forget_old_sales(tmp_path, 0) == [name]


def test_a_sale_that_ended_bears_no_mark(tmp_path: Path) -> None:
    with running(tmp_path):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)
    assert list(tmp_path.iterdir()) == []
