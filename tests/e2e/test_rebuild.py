"""Redis is emptied in the middle of a sale: buyers are told to come back, an operator rebuilds, none is sold twice."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import DependencyUnavailable, SoldOut
from meshkit.redis_client import redis_pool
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from tests.e2e.holds import assert_audit_holds
from tests.e2e.shop import OpenSale, Shop, State
from tests.e2e.stubborn import persist
from tests.polling import eventually
from tools.devstack import Mesh
from tools.devstack.spec import ROOT


async def peakmesh(mesh: Mesh, *words: str) -> tuple[Any, str]:
    """What the command line prints with --json, and what it tells on stderr. It must succeed."""
    here = {"PEAKMESH_PORT_BASE": str(mesh.port_base), "PEAKMESH_RUN_DIR": str(mesh.run_dir)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.cli", *words, "--json"),
        env=os.environ | here,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    return json.loads(printed), told.decode()


async def lose_stock(shop: Shop, sale: OpenSale) -> None:
    """All of Redis, and what its buyers then hear: neither INTERNAL nor that the sale is over."""
    async with redis_pool(shop.settings.redis) as redis:
        await redis.flushall()
    with pytest.raises(DependencyUnavailable, match="being rebuilt"):
        await shop.place("early", sale)
    assert (await shop.offer(sale)).redis_lost


async def test_redis_is_emptied_in_the_middle_of_a_sale(shop: Shop, mesh: Mesh, tmp_path: Path) -> None:
    sale = await shop.open_sale(units=40)
    first = shop.request(sale)
    answer = await shop.send("early-0", first)
    assert answer.acceptance == checkout.ACCEPTANCE_QUEUED
    early = [asyncio.create_task(persist(shop, f"early-{n}", sale)) for n in range(1, 20)]
    await early[0]
    await lose_stock(shop, sale)
    late = [asyncio.create_task(persist(shop, f"late-{n}", sale)) for n in range(20)]
    done, told = await peakmesh(mesh, "stock", "rebuild", "--all", "--reason", "a drill", "--yes")
    assert (done["phase"], done["offers_done"]) == ("REBUILD_PHASE_DONE", done["offers"])
    assert "fenced" in told or "done" in told
    orders = {"early-0": answer.order_id}
    orders |= {f"early-{n + 1}": order_id for n, (order_id, _) in enumerate(await asyncio.gather(*early))}
    orders |= {f"late-{n}": order_id for n, (order_id, _) in enumerate(await asyncio.gather(*late))}
    assert len(set(orders.values())) == 40
    assert (await shop.send("early-0", first)).order_id == answer.order_id
    with pytest.raises(SoldOut):
        await shop.place("one-too-many", sale)
    for user, order_id in orders.items():
        await shop.reaches(user, order_id, State.ORDER_STATE_TO_SHIP, within=40)
    await eventually(lambda: settled(shop, sale))
    await assert_audit_holds(shop, sale, list(orders.values()), tmp_path)


async def settled(shop: Shop, sale: OpenSale) -> bool:
    offer = await shop.offer(sale)
    return not offer.redis_lost and offer.redis == offer.database and offer.database.sold == 40
