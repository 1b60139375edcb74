"""A whole small sale by the command line, twice on one mesh: its verdict against each system's own numbers, and what an
operator does with past sales; and one that is interrupted."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import func, select

from kernel import schema
from kernel.topics import ORDERS_INTAKE, PARTITIONS
from meshkit.db.engine import database
from peakmesh.ops.v1 import ops_service_pb2 as ops
from tests.e2e.shop import Shop
from tests.e2e.terminal import environment, peakmesh, peakmesh_json
from tests.polling import eventually
from tools.devstack import Mesh, status

UNITS, BUYERS = 100, 300
COMMAND = [sys.executable, "-m", "tools.cli", "sale", "run", "--rate", "100", "--drain-rate", "20"]


async def _intake_end(bootstrap: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(ORDERS_INTAKE, number) for number in range(PARTITIONS)])
        return sum(ends.values())
    finally:
        await consumer.stop()


def _sale(mesh: Mesh) -> dict[str, Any]:
    """The verdict, and how many records Kafka's intake grew by."""
    before = asyncio.run(_intake_end(mesh.settings.kafka))
    size = ("--units", str(UNITS), "--buyers", str(BUYERS), "--rate", "150")
    asked = [*COMMAND, *size, "--vouchers", "0.3", "--json"]
    done = subprocess.run(asked, env=environment(mesh), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict | {"published": asyncio.run(_intake_end(mesh.settings.kafka)) - before}


@pytest.fixture(scope="module")
def sales(mesh: Mesh) -> list[dict[str, Any]]:
    return [_sale(mesh), _sale(mesh)]


def folder_of(mesh: Mesh, verdict: dict[str, Any]) -> Path:
    return mesh.run_dir / "sales" / str(verdict["sale_id"])


@pytest.mark.timeout(300)  # the commands have deadlines of their own, and name the one that passed
@pytest.mark.parametrize("time", [0, 1], ids=["first", "again"])
async def test_a_sale_holds_and_every_system_agrees(
    time: int, sales: list[dict[str, Any]], shop: Shop, mesh: Mesh, figure: Callable[[str], None]
) -> None:
    verdict = sales[time]
    told = {
        reason: f"{each['count']} {reason}, p99 {each['p99']:.0f} ms" for reason, each in verdict["outcomes"].items()
    }
    figure(f"{'; '.join(told.values())}; {verdict['peak_backlog']} at most waited in Kafka")
    assert (verdict["accepted"], verdict["persisted"], verdict["paid"]) == (UNITS, UNITS, UNITS)
    assert (verdict["sold_out"], verdict["errors"], verdict["oversold"]) == (BUYERS - UNITS, 0, 0)
    counts = {reason: told["count"] for reason, told in verdict["outcomes"].items()}
    assert counts == {"SOLD_OUT": BUYERS - UNITS, "QUEUED": UNITS}
    assert all(0 < told["p50"] <= told["p99"] <= told["p999"] for told in verdict["outcomes"].values())
    assert verdict["peak_backlog"] >= UNITS // 3
    assert set(verdict["audit"].values()) == {"holds"}
    assert verdict["published"] == UNITS
    sale = (await shop.operate("GetSale", ops.GetSaleRequest(sale_id=verdict["sale_id"]))).sale
    for counters in (sale.offers[0].database, sale.offers[0].redis):
        assert (counters.available, counters.reserved, counters.sold) == (0, 0, UNITS)
    orders = schema.orders.c
    query = select(orders.state, func.count()).where(orders.sale_id == verdict["sale_id"]).group_by(orders.state)
    async with database(mesh.settings.database, pool_size=1) as engine, engine.connect() as connection:
        assert [tuple(row) for row in await connection.execute(query)] == [("TO_SHIP", UNITS)]
    [seen] = verdict["seller"]["skus"]
    assert (seen["orders"], seen["units"], seen["payment_failures"]) == (UNITS, UNITS, 0)
    folder = folder_of(mesh, verdict)
    assert json.loads((folder / "verdict.json").read_text()) | {"published": UNITS} == verdict
    assert (folder / "peak.png").read_bytes().startswith(b"\x89PNG")
    memory = verdict["redis_bytes_an_order"]
    assert set(memory) == {"all", "reservation", "limit", "deadline", "idempotency key"}
    figure(f"{memory['all']} bytes of Redis an order, as the sale itself measured")
    assert set(verdict["stages_ms"]) == {"checkout", "queue", "settle"}


async def test_a_sale_is_reported_compared_and_audited_again(sales: list[dict[str, Any]], mesh: Mesh) -> None:
    first, second = (verdict["sale_id"] for verdict in sales)
    page = folder_of(mesh, sales[0]) / "report.html"
    page.unlink()
    told = await peakmesh("sale", "report", first)
    assert (told.exit_code, told.output.strip()) == (0, str(page))
    assert first in page.read_text()
    compared = await peakmesh_json("sale", "compare", first, second)
    figures = {line["figure"]: line for line in compared["figures"]}
    assert (figures["accepted"]["first"], figures["accepted"]["ratio"]) == (UNITS, 1.0)
    assert figures["outcomes.SOLD_OUT.count"]["second"] == BUYERS - UNITS
    assert figures["outcomes.QUEUED.p99"]["first"] == sales[0]["outcomes"]["QUEUED"]["p99"]
    # The commit may be another where one is made meanwhile.
    assert [each for each in compared["differences"] if not each.startswith("commit: ")] == []
    audited = await peakmesh_json("audit", "--sale", second)
    assert audited["audit"] == sales[1]["audit"]


async def _until_sold_out(run: asyncio.subprocess.Process) -> tuple[list[str], list[psutil.Process]]:
    """The lines it told until then, and its generators."""
    assert run.stderr is not None
    said: list[str] = []
    async with asyncio.timeout(60):
        while not said or " sold_out 0" in said[-1] or "sold_out" not in said[-1]:
            said.append((await run.stderr.readline()).decode())
            assert said[-1], f"it ended before it was sold out: {''.join(said)}"
    generators = [each for each in psutil.Process(run.pid).children() if "tools.sale.generator" in each.cmdline()]
    assert len(generators) == 2
    return said, generators


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_sale_leaves_the_mesh_as_it_was(number: signal.Signals, shop: Shop, mesh: Mesh) -> None:
    # What runs in the background ignores Ctrl-C, and its children with it: the tests may be run so, the sale must not.
    asked = ["env", "--default-signal=INT", *COMMAND, "--units", "20", "--buyers", "6000"]
    run = await asyncio.create_subprocess_exec(
        *asked, env=environment(mesh), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        said, generators = await _until_sold_out(run)
        run.send_signal(number)
        _, rest = await asyncio.wait_for(run.communicate(), 60)
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()
    assert run.returncode == 130, rest.decode()
    assert "Traceback" not in rest.decode()
    assert not any(each.is_running() for each in generators)
    sale_id = next(line.split(":")[0] for line in said if line.startswith("sale-"))
    assert (await peakmesh_json("sale", "show", sale_id))["state"] == "SALE_STATE_CLOSED"
    [worker] = [row for row in status() if row.name == "order_worker"]
    assert "PEAKMESH_ORDER_WORKER_RATE" not in psutil.Process(worker.pid).environ()

    async def sold() -> bool:
        sale = (await shop.operate("GetSale", ops.GetSaleRequest(sale_id=sale_id))).sale
        return bool(sale.offers[0].database.sold == 20)

    await eventually(sold, within=30, every=0.5)


async def test_clean_leaves_the_latest_sales(sales: list[dict[str, Any]], mesh: Mesh) -> None:
    done = await peakmesh_json("clean", "--sales", "0")
    assert {verdict["sale_id"] for verdict in sales} <= set(done["sales_removed"])
    assert done["freed_bytes"] > 0
    assert not any(folder_of(mesh, verdict).exists() for verdict in sales)
    assert (await peakmesh_json("status"))["running"], "the mesh goes on, with its orders"
