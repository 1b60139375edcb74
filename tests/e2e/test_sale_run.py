"""A whole small sale by the command line, twice on one mesh; its verdict against each system's own numbers."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import func, select

from kernel import schema
from kernel.topics import ORDERS_INTAKE, PARTITIONS
from meshkit.db.engine import database
from peakmesh.ops.v1.ops_service_pb2 import GetSaleRequest
from tests.e2e.shop import Shop
from tools.devstack import Mesh

UNITS, BUYERS = 100, 300
COMMAND = ["sale", "run", "--units", str(UNITS), "--buyers", str(BUYERS), "--rate", "100", "--drain-rate", "20"]


async def _intake_end(bootstrap: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(ORDERS_INTAKE, number) for number in range(PARTITIONS)])
        return sum(ends.values())
    finally:
        await consumer.stop()


async def _sale(mesh: Mesh) -> dict[str, Any]:
    env = os.environ | {"PEAKMESH_RUN_DIR": str(mesh.run_dir), "PEAKMESH_PORT_BASE": str(mesh.port_base)}
    asked = [sys.executable, "-m", "tools.cli", *COMMAND, "--vouchers", "0.3", "--json"]
    done = await asyncio.to_thread(subprocess.run, asked, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict


@pytest.mark.timeout(240)  # the command has deadlines of its own, and names the one that passed
@pytest.mark.parametrize("time", ["first", "again"])
async def test_a_sale_holds_and_every_system_agrees(
    time: str, shop: Shop, mesh: Mesh, figure: Callable[[str], None]
) -> None:
    before = await _intake_end(mesh.settings.kafka)
    verdict = await _sale(mesh)
    assert (verdict["accepted"], verdict["persisted"], verdict["paid"]) == (UNITS, UNITS, UNITS)
    assert (verdict["sold_out"], verdict["errors"], verdict["oversold"]) == (BUYERS - UNITS, 0, 0)
    assert verdict["peak_backlog"] >= UNITS // 3
    assert set(verdict["audit"].values()) == {"holds"}
    assert await _intake_end(mesh.settings.kafka) - before == UNITS
    sale = (await shop.operate("GetSale", GetSaleRequest(sale_id=verdict["sale_id"]))).sale
    for counters in (sale.offers[0].database, sale.offers[0].redis):
        assert (counters.available, counters.reserved, counters.sold) == (0, 0, UNITS)
    orders = schema.orders.c
    query = select(orders.state, func.count()).where(orders.sale_id == verdict["sale_id"]).group_by(orders.state)
    async with database(mesh.settings.database, pool_size=1) as engine, engine.connect() as connection:
        assert [tuple(row) for row in await connection.execute(query)] == [("TO_SHIP", UNITS)]
    [seen] = verdict["seller"]["skus"]
    assert (seen["orders"], seen["units"], seen["payment_failures"]) == (UNITS, UNITS, 0)
    folder = mesh.run_dir / "sales" / verdict["sale_id"]
    assert json.loads((folder / "verdict.json").read_text()) == verdict
    assert (folder / "peak.png").read_bytes().startswith(b"\x89PNG")
    assert verdict["sale_id"] in (folder / "report.html").read_text()
    memory = verdict["redis_bytes_an_order"]
    assert set(memory) == {"all", "reservation", "limit", "deadline", "idempotency key"}
    figure(f"{memory['all']} bytes of Redis an order, as the sale itself measured")
    assert set(verdict["stages_ms"]) == {"checkout", "queue", "settle"}
