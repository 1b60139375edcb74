"""Every process of ours is restarted under load, one after the other: no call through Envoy fails, nothing is lost."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.holds import assert_audit_holds
from tests.e2e.mixed_load import MixedLoad
from tests.e2e.shop import OpenSale, Shop, State
from tests.polling import eventually
from tools import devstack
from tools.devstack import Mesh, drop_process, restart_process, wait_ready
from tools.devstack.table import TABLE
from tools.providers.knobs import AllKnobs, Knobs, write_knobs
from tools.providers.settings import Settings as SandboxSettings

SECOND = tuple(row.name for row in TABLE if row.paired)
# The provider sandbox too, though it is alone, as a provider may be.
ROLLED = tuple(row.name for row in TABLE if row.is_ours)
ASKED_IN_TURN = 4
# Discounts asked for again in one restart: a machine that stands still for half a second is late for two or three of
# five a second; a promo_svc that was away for its restart would be for a dozen.
MOST_LATE = 7


@pytest.fixture
def pairs(mesh: Mesh) -> Iterator[Mesh]:
    """Two of every process of ours; afterwards as many as before."""
    devstack.up(only=SECOND)
    for name in SECOND:
        wait_ready(name, mesh)
    yield mesh
    for name in SECOND:
        drop_process(name, mesh)


@pytest.fixture
def unhurried(mesh: Mesh) -> Iterator[None]:
    """Providers take their time, so that streams are open whenever a process ends."""
    knobs = SandboxSettings(run_dir=mesh.run_dir, port_base=mesh.port_base).knobs
    write_knobs(knobs, AllKnobs(wallet=Knobs(latency_ms=400), shipping=Knobs(latency_ms=400)))
    yield
    write_knobs(knobs, AllKnobs())


async def on_sale(shop: Shop) -> OpenSale:
    """Once it can be found, whoever is asked: checkout's processes follow the catalogue each by itself."""
    sale = await shop.open_sale(units=20_000)

    async def by_all() -> bool:
        return all([await found(shop, sale) for _ in range(ASKED_IN_TURN)])

    await eventually(by_all)
    return sale


async def found(shop: Shop, sale: OpenSale) -> bool:
    load = MixedLoad(shop, sale)
    try:
        await load.look("looker")
    except AssertionError:
        return False
    return True


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("unhurried")
async def test_no_call_fails_while_every_process_is_restarted(
    shop: Shop, pairs: Mesh, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    sale = await on_sale(shop)
    load, began = MixedLoad(shop, sale), time.monotonic()
    async with load.running():
        for name in ROLLED:
            load.during = name
            await asyncio.to_thread(restart_process, name, None, pairs)
    took = time.monotonic() - began
    print(f"{len(load.failures)} clients failed; answered: {dict(load.calls)}")
    assert load.failures == []
    assert len(load.orders) > 2 * took, "there was a load"
    assert max(load.repeated.values(), default=0) <= MOST_LATE, load.repeated
    assert load.resumed > 0, "a stream met the end of its process"
    for user, order_id in load.orders.items():
        await shop.reaches(user, order_id, State.ORDER_STATE_TO_SHIP, within=60)
    await assert_audit_holds(shop, sale, list(load.orders.values()), tmp_path)
    figure(
        f"{len(ROLLED)} restarts in {took:.0f} s: 0 of {load.calls.total()} calls failed, {len(load.orders)} orders, "
        f"{load.resumed} streams taken up again, {load.repeated.total()} required discounts asked for again; "
        "the audit holds"
    )
