"""Processes and servers that die in the middle of a sale: nothing accepted is lost, nothing is done twice."""

import asyncio
from pathlib import Path

import pytest

from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from tests.e2e.doomed import Doomed
from tests.e2e.holds import assert_audit_holds
from tests.e2e.shop import Shop, State
from tests.e2e.stubborn import persist
from tests.polling import eventually
from tools.devstack import Mesh, kill_process, restart_process, start_process, stop_process, wait_ready

ENDED = (State.ORDER_STATE_TO_SHIP,)


async def _all_end(shop: Shop, orders: dict[str, str]) -> None:
    for user, order_id in orders.items():
        await shop.reaches(user, order_id, *ENDED, within=40)


async def test_kafka_stops_for_ten_seconds(shop: Shop, servers: Mesh, tmp_path: Path) -> None:
    sale = await shop.open_sale(units=100)
    early = await asyncio.gather(*[persist(shop, f"early-{n}", sale) for n in range(10)])
    await asyncio.to_thread(stop_process, "kafka", servers, kill=True)
    buyers = [asyncio.create_task(persist(shop, f"late-{n}", sale)) for n in range(30)]
    _, waiting = await asyncio.wait(buyers, timeout=10)
    assert waiting, "no order can be QUEUED while Kafka is down"
    await asyncio.to_thread(start_process, "kafka", servers)
    late = await asyncio.gather(*buyers)
    assert any(checkout.ACCEPTANCE_PENDING in answers for _, answers in late)
    orders = {f"early-{n}": order_id for n, (order_id, _) in enumerate(early)}
    orders |= {f"late-{n}": order_id for n, (order_id, _) in enumerate(late)}
    assert len(set(orders.values())) == 40
    await _all_end(shop, orders)
    await assert_audit_holds(shop, sale, list(orders.values()), tmp_path)


@pytest.mark.parametrize(
    ("process", "point"),
    [
        ("order_worker", "after_db_commit"),
        ("order_worker", "after_follow_ups"),
        ("payment_worker", "after_debit_started"),
        ("payment_worker", "after_debit_call"),
        ("payment_worker", "after_debit_stored"),
        ("checkout_svc_0", "after_reserve"),
        ("checkout_svc_0", "after_publish"),
    ],
)
async def test_a_process_killed_at(process: str, point: str, shop: Shop, mesh: Mesh, tmp_path: Path) -> None:
    sale = await shop.open_sale(units=200)
    doomed = await Doomed.at(point, process, mesh)
    bought = await asyncio.gather(*[persist(shop, f"buyer-{n}", sale) for n in range(20)])
    orders = {f"buyer-{n}": order_id for n, (order_id, _) in enumerate(bought)}

    async def dies() -> bool:
        """Envoy may not have known it again when the twenty came: another order, until one has met it."""
        if not doomed.has_died():
            user = f"buyer-{len(orders)}"
            orders[user], _ = await persist(shop, user, sale)
        return doomed.has_died()

    await eventually(dies, every=0.2)
    await _all_end(shop, orders)
    await doomed.is_back()
    assert (await shop.offer(sale)).database.sold == len(orders)
    await assert_audit_holds(shop, sale, list(orders.values()), tmp_path)


@pytest.mark.parametrize("server", ["redis", "mariadb", "envoy"])
async def test_a_server_killed_in_the_middle(
    server: str, shop: Shop, mesh: Mesh, servers: Mesh, tmp_path: Path
) -> None:
    where = mesh if server == "envoy" else servers
    sale = await shop.open_sale(units=30)
    early = [asyncio.create_task(persist(shop, f"early-{n}", sale)) for n in range(15)]
    dead = await asyncio.to_thread(kill_process, server, mesh=where)
    late = [asyncio.create_task(persist(shop, f"late-{n}", sale)) for n in range(15)]
    await asyncio.to_thread(wait_ready, server, where, not_pid=dead)
    orders = {f"early-{n}": order_id for n, (order_id, _) in enumerate(await asyncio.gather(*early))}
    orders |= {f"late-{n}": order_id for n, (order_id, _) in enumerate(await asyncio.gather(*late))}
    assert len(set(orders.values())) == 30
    await _all_end(shop, orders)
    await assert_audit_holds(shop, sale, list(orders.values()), tmp_path)


async def test_an_order_past_its_deadline_expires_and_is_not_charged(shop: Shop, mesh: Mesh, tmp_path: Path) -> None:
    sale = await shop.open_sale(units=5)
    await asyncio.to_thread(stop_process, "payment_worker", mesh)
    brief = {"PEAKMESH_ORDER_DEADLINE_SECONDS": "2"}
    for name in ("checkout_svc_0", "checkout_svc_1"):
        await asyncio.to_thread(restart_process, name, brief, mesh)
    try:
        bought = await asyncio.gather(*[persist(shop, f"buyer-{n}", sale) for n in range(5)])
        orders = {f"buyer-{n}": order_id for n, (order_id, _) in enumerate(bought)}
        for user, order_id in orders.items():
            await shop.reaches(user, order_id, State.ORDER_STATE_EXPIRED, within=30)
    finally:
        for name in ("checkout_svc_0", "checkout_svc_1"):
            await asyncio.to_thread(restart_process, name, None, mesh)
        await asyncio.to_thread(start_process, "payment_worker", mesh)

    async def all_back() -> bool:
        return (await shop.offer(sale)).redis.available == 5

    await eventually(all_back)
    await assert_audit_holds(shop, sale, list(orders.values()), tmp_path)
