"""`peakmesh tier check` needs no mesh, and says line by line what is wrong."""

import json
from pathlib import Path

from typer.testing import CliRunner

from governor.settings import SHIPPED_POLICY
from kernel.features import features
from tools.cli.tier import app

run = CliRunner()


def test_a_good_policy_is_told_what_it_switches_off() -> None:
    done = run.invoke(app, ["check", str(SHIPPED_POLICY), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["off"]["NORMAL"] == []
    assert found["off"]["SURVIVAL"] == list(features())


def test_a_bad_policy_is_refused_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        SHIPPED_POLICY.read_text().replace("rise: step", "rise: up").replace("[avatar-updates, promotions]", "[cart]")
    )
    done = run.invoke(app, ["check", str(file)])
    assert done.exit_code == 1
    places = [line.split(": ")[0] for line in done.stderr.splitlines()]
    lines = file.read_text().splitlines()
    assert places == [
        f"bad.yaml:{number}" for number, text in enumerate(lines, 1) if "rise: up" in text or "[cart]" in text
    ]


def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    done = run.invoke(app, ["check", str(tmp_path / "none.yaml")])
    assert done.exit_code == 1
    assert "No such file" in done.stderr
