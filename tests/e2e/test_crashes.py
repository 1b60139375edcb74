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
from tools.devstack import Mesh, kill_process, restart_process, start_process, status, stop_process, wait_ready

ENDED = (State.ORDER_STATE_TO_SHIP,)


async def _all_end(shop: Shop, orders: dict[str, str]) -> None:
    for user, order_id in orders.items():
        await shop.reaches(user, order_id, *ENDED, within=40, patient=True)


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
    "points",
    [
        {"order_worker": "after_db_commit", "checkout_svc_0": "after_reserve"},
        {"order_worker": "after_follow_ups", "checkout_svc_0": "after_publish"},
        {"payment_worker": "after_debit_started"},
        {"payment_worker": "after_debit_call"},
        {"payment_worker": "after_debit_stored"},
    ],
    ids=lambda points: "+".join(points.values()),
)
async def test_processes_killed_at(points: dict[str, str], shop: Shop, mesh: Mesh, tmp_path: Path) -> None:
    """A worker that was killed holds its partitions for ten seconds: whoever else may die does so beside it."""
    sale = await shop.open_sale(units=200)
    doomed = [await Doomed.at(point, process, mesh) for process, point in points.items()]
    bought = await asyncio.gather(*[persist(shop, f"buyer-{n}", sale) for n in range(20)])
    orders = {f"buyer-{n}": order_id for n, (order_id, _) in enumerate(bought)}

    async def dies() -> bool:
        """Envoy may not have known it again when the twenty came: another order, until one has met it."""
        if all(each.has_died() for each in doomed):
            return True
        user = f"buyer-{len(orders)}"
        orders[user], _ = await persist(shop, user, sale)
        return False

    await eventually(dies, every=0.2)
    await _all_end(shop, orders)
    for each in doomed:
        await each.is_back()
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
    await asyncio.to_thread(_restart_checkout, {"PEAKMESH_ORDER_DEADLINE_SECONDS": "2"}, mesh)
    try:
        bought = await asyncio.gather(*[persist(shop, f"buyer-{n}", sale) for n in range(5)])
        orders = {f"buyer-{n}": order_id for n, (order_id, _) in enumerate(bought)}
        for user, order_id in orders.items():
            await shop.reaches(user, order_id, State.ORDER_STATE_EXPIRED, within=30)
    finally:
        await asyncio.to_thread(_restart_checkout, {}, mesh)
        await asyncio.to_thread(start_process, "payment_worker", mesh)

    async def all_back() -> bool:
        return (await shop.offer(sale)).redis.available == 5

    await eventually(all_back)
    await assert_audit_holds(shop, sale, list(orders.values()), tmp_path)


def _restart_checkout(env: dict[str, str], mesh: Mesh) -> None:
    """Both at once: nobody buys meanwhile."""
    before = {row.name: row.pid for row in status(mesh.run_dir, mesh.port_base) if row.name.startswith("checkout_svc")}
    for name in before:
        restart_process(name, env, mesh, wait=False)
    for name, pid in before.items():
        wait_ready(name, mesh, not_pid=pid)
