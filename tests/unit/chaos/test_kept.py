"""Old runs of scenarios are forgotten, the latest stay."""

import os
from pathlib import Path

from tools.chaos.kept import forget_old_runs


def test_the_latest_runs_stay(tmp_path: Path) -> None:
    names = ["promo-slow-20261128-120000", "a-20261128-120100", "promo-dead-20261128-120200", "b-20261128-120300"]
    for number, name in enumerate(names):
        (tmp_path / name).mkdir()
        (tmp_path / name / "verdict.json").write_text("{}")
        os.utime(tmp_path / name / "verdict.json", (number, number))
    (tmp_path / "promo.json").write_text("the end of a fault that is armed")
    assert forget_old_runs(tmp_path, 2) == names[:2]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[2:], "promo.json"])
    assert forget_old_runs(tmp_path, 2) == []
