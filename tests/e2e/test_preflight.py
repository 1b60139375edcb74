"""The preflight on the real mesh: quiet on a good evening, and red for what is really broken."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from typer.testing import CliRunner

from kernel.stock import keys
from kernel.topics import GROUPS, ORDERS_INTAKE, RETENTION_MS
from meshkit.redis_client import redis_pool
from peakmesh.ops.v1 import ops_service_pb2 as ops
from tests.e2e.shop import OpenSale, Shop
from tests.e2e.terminal import peakmesh
from tests.polling import eventually
from tests.topic_settings import topic_config
from tools.cli.__main__ import app
from tools.devstack import Mesh, start_process, stop_process
from tools.devstack.spec import ROOT
from tools.preflight.facts import KafkaServer
from tools.preflight.report import Level, Line
from tools.preflight.run import gather, run_preflight


async def problems(shop: Shop, sale: OpenSale) -> list[Line]:
    report = await run_preflight(shop.settings, sale.sale_id)
    return [line for line in report.lines if line.level is Level.PROBLEM]


async def settled(shop: Shop, sale: OpenSale) -> None:
    """Without problems; after a test that stopped a process Envoy needs a moment to find it healthy."""

    async def quiet() -> bool:
        return not await problems(shop, sale)

    await eventually(quiet, within=20, every=0.5)


@pytest.fixture
async def sale(shop: Shop) -> AsyncIterator[OpenSale]:
    opened = await shop.open_sale(units=5)
    await settled(shop, opened)
    yield opened
    closing = ops.CloseSaleRequest(sale_id=opened.sale_id, request_id=str(uuid4()))
    await shop.operate("CloseSale", closing)


@asynccontextmanager
async def redis_config(shop: Shop, name: str, value: str, usual: str) -> AsyncIterator[None]:
    async with redis_pool(shop.settings.redis) as redis:
        await redis.config_set(name, value)
        try:
            yield
        finally:
            await redis.config_set(name, usual)


async def test_a_good_evening_is_told_by_the_command_line(shop: Shop, sale: OpenSale) -> None:
    told = await peakmesh("sale", "preflight", sale.sale_id, "--json")
    report = json.loads(told.stdout)
    levels = {line["level"] for line in report["lines"]}
    assert told.exit_code == report["exit_code"] == (1 if "warning" in levels else 0)
    assert "problem" not in levels
    shown = await peakmesh("sale", "preflight", sale.sale_id)
    assert (shown.exit_code, "what to do" in shown.output) == (told.exit_code, True)


async def test_a_redis_that_may_forget_is_found(shop: Shop, sale: OpenSale) -> None:
    async with redis_config(shop, "appendfsync", "everysec", "always"):
        [line] = await problems(shop, sale)
    assert (line.check, line.words) == ("redis settings", "Redis: appendfsync is everysec, must be always")


async def test_a_topic_that_forgets_too_soon_is_found(shop: Shop, sale: OpenSale) -> None:
    usual = {"retention.ms": str(RETENTION_MS)}
    async with topic_config(shop.settings.kafka, ORDERS_INTAKE, {"retention.ms": "86400000"}, usual):
        [line] = await problems(shop, sale)
    words = f"topic {ORDERS_INTAKE}: retention.ms is 86400000, declared {RETENTION_MS} at least"
    assert (line.check, line.words) == ("topics", words)
    await settled(shop, sale)


async def test_stock_that_differs_between_the_two_is_found(shop: Shop, sale: OpenSale) -> None:
    async with redis_pool(shop.settings.redis) as redis:
        await redis.hincrby(keys.stock(sale.offer_no, 0), "avail", -1)
        try:
            [line] = await problems(shop, sale)
        finally:
            await redis.hincrby(keys.stock(sale.offer_no, 0), "avail", 1)
    assert (line.check, line.words) == ("stock", f"units of {sale.sku} of {sale.sale_id} do not add up in Redis")


async def test_a_process_that_is_down_is_found_by_its_name(shop: Shop, sale: OpenSale, mesh: Mesh) -> None:
    await asyncio.to_thread(stop_process, "payment_worker", mesh)
    try:
        [line] = await problems(shop, sale)
    finally:
        await asyncio.to_thread(start_process, "payment_worker", mesh)
    assert line.check == "processes"
    assert line.words.startswith("payment_worker: no answer on port")


async def test_every_group_of_ours_on_the_broker_is_asked_how_far_it_is(shop: Shop, sale: OpenSale) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=shop.settings.kafka)
    await admin.start()
    try:
        there = {name for name, _ in await admin.list_consumer_groups()}
    finally:
        await admin.close()
    ours = {name for name in there if (ROOT / name.partition(".")[0] / "app.py").exists()}
    found = (await gather(shop.settings, sale.sale_id)).kafka
    assert isinstance(found, KafkaServer)
    assert "promo_svc" in ours
    assert ours == set(found.lag) == set(GROUPS)


async def test_an_unknown_sale_is_a_problem(shop: Shop) -> None:
    report = await run_preflight(shop.settings, "sale-none")
    assert [(line.check, line.words) for line in report.lines if line.level is Level.PROBLEM] == [
        ("hours", "there is no sale sale-none")
    ]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no mesh runs."""
    monkeypatch.setenv("PEAKMESH_PORT_BASE", "9999")


def test_without_a_mesh_everything_is_told_and_nothing_raised(mesh: Mesh, elsewhere: None) -> None:
    told = CliRunner().invoke(app, ["sale", "preflight", "--json"])
    assert told.exit_code == 2
    assert '"reach"' in told.output
    assert "Traceback" not in told.output
