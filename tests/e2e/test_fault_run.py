"""`peakmesh fault run` as its caller meets it: exit status, words, and a report that needs no other file."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from tools.chaos.lanes import TIERS
from tools.devstack import Mesh

CUT_OFF: dict[str, Any] = {
    "says": "Promotions take 400 ms for a while.",
    "load": {"order_with_voucher": 40},
    "actions": [
        {"at": 1.5, "do": "arm", "target": "promo", "delay_ms": 400},
        {"at": 3.5, "do": "clear", "target": "promo"},
    ],
    "after": 1,
    "expects": [
        {"expect": "succeeds", "call": "order_with_voucher"},
        {"expect": "breaker_opens", "breaker": "promotions", "within": 1},
    ],
}
# A breaker that opens before the first reading; a run would wait for what must come back.
IMPOSSIBLE = {"expect": "breaker_opens", "breaker": "promotions", "within": 0.001}
SECTIONS = ["What had to hold", "What was done", "Latency", "Breakers", "Tier", "Features"]


@pytest.mark.parametrize(("more", "status"), [([], 0), ([IMPOSSIBLE], 1)])
async def test_a_run_says_what_held_and_leaves_a_report(
    mesh: Mesh, tmp_path: Path, more: list[dict[str, Any]], status: int
) -> None:
    (tmp_path / "cut-off.yaml").write_text(yaml.safe_dump(CUT_OFF | {"expects": CUT_OFF["expects"] + more}))
    environment = os.environ | {"PEAKMESH_PORT_BASE": str(mesh.port_base), "PEAKMESH_RUN_DIR": str(mesh.run_dir)}
    command = [sys.executable, "-m", "tools.cli", "fault", "run", str(tmp_path / "cut-off.yaml"), "--json"]
    run = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    said, _ = await run.communicate()
    assert run.returncode == status
    told = json.loads(said)
    assert told["held"] is (status == 0)
    assert [each["held"] for each in told["expectations"]] == [True, True, *[False] * status]
    assert_report(Path(told["report"]), mesh, held=status == 0)


def assert_report(report: Path, mesh: Mesh, held: bool) -> None:
    assert report.parent.parent == mesh.run_dir / "chaos"
    with Image.open(report.parent / "picture.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1_200
    page = report.read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == SECTIONS
    assert ("did not hold" in page) is not held
    assert set(re.findall(r'(?:src|href)="([^,"]*)', page)) == {"data:image/png;base64"}, "it needs no other file"
    assert re.search("promotions in checkout_0</td><td>closed [0-9.]+ s → open [0-9.]+ s", page)
    assert re.search(f"governor tells it</td><td>({'|'.join(TIERS.values())}) [0-9.]+ s", page)
    assert re.search("purchase-history</td><td>on [0-9.]+ s", page)
