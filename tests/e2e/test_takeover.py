"""The governor that leads is killed, or frozen: the mesh notices no more than that another one leads."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from meshkit.settings import ProcessSettings
from tests.e2e.feature_calls import CALLS, counted
from tests.e2e.shop import Shop
from tests.e2e.switch import PROCESSES, Switch, processes_that_have_it
from tests.polling import eventually
from tools import devstack
from tools.devstack import Mesh, drop_process, pause_process, resume_process, start_process, stop_process, wait_ready
from tools.devstack.table import GOVERNORS

TAKEOVER_SECONDS = 5.0
FLAG = "purchase-history"


@dataclass(frozen=True)
class Leading:
    leader: str
    standby: str


async def leads(settings: ProcessSettings, governor: str) -> bool:
    return await asyncio.to_thread(counted, settings, governor, "peakmesh_governor_leads") == 1


async def who_leads(settings: ProcessSettings) -> list[str]:
    return [name for name in GOVERNORS if await leads(settings, name)]


@pytest.fixture
def governors(mesh: Mesh) -> Iterator[Mesh]:
    """Two of them; afterwards one, as before."""
    devstack.up(only=GOVERNORS)
    for name in GOVERNORS:
        wait_ready(name, mesh)
    yield mesh
    drop_process("governor_1", mesh)


@pytest.fixture
async def leading(shop: Shop, switch: Switch, governors: Mesh) -> AsyncIterator[Leading]:
    """Both run afterwards, whatever the test did to one of them."""

    async def one() -> bool:
        return len(await who_leads(shop.settings)) == 1

    await eventually(one)
    [leader] = await who_leads(shop.settings)
    [standby] = [name for name in GOVERNORS if name != leader]
    yield Leading(leader, standby)
    for name in GOVERNORS:
        await asyncio.to_thread(wait_ready, name, governors)
    await eventually(one)


@asynccontextmanager
async def frozen(name: str, mesh: Mesh) -> AsyncIterator[Callable[[], None]]:
    """Gives what thaws it."""
    pause_process(name, mesh)
    try:
        yield partial(resume_process, name, mesh)
    finally:
        resume_process(name, mesh)


@asynccontextmanager
async def killed(name: str, mesh: Mesh) -> AsyncIterator[None]:
    await asyncio.to_thread(stop_process, name, mesh, kill=True)
    try:
        yield
    finally:
        await asyncio.to_thread(start_process, name, mesh)


async def everybody_hears(shop: Shop, switch: Switch, on: bool, within: float) -> float:
    """An operator switches through Envoy; the edge and each process follow. Seconds until then."""
    began = time.monotonic()
    await switch.set(FLAG, on)

    async def everywhere() -> bool:
        heard = await processes_that_have_it(shop.settings, FLAG, on) == list(PROCESSES)
        return heard and await CALLS[FLAG].is_on(shop) is on

    await eventually(everywhere, within=within)
    took = time.monotonic() - began
    assert took <= within
    return took


async def takeover(shop: Shop, leading: Leading, since: float) -> float:
    """Seconds until the standby leads."""
    await eventually(partial(leads, shop.settings, leading.standby), within=TAKEOVER_SECONDS + 5)
    took = time.monotonic() - since
    assert took <= TAKEOVER_SECONDS
    return took


async def stays_off(shop: Shop) -> int:
    """For six seconds: who wakes up reads Redis four times a second and tells Envoy all it knows every five."""
    began, refusals = time.monotonic(), 0

    async def is_over() -> bool:
        nonlocal refusals
        assert await CALLS[FLAG].is_off(shop), "the edge does what was said last"
        assert await processes_that_have_it(shop.settings, FLAG, on=False) == list(PROCESSES)
        refusals += 1
        return time.monotonic() - began > 6

    await eventually(is_over, within=10, every=0.01)
    return refusals


async def test_a_killed_leader_costs_nobody_a_change(
    shop: Shop, switch: Switch, leading: Leading, mesh: Mesh, figure: Callable[[str], None]
) -> None:
    began = time.monotonic()
    async with killed(leading.leader, mesh):
        # Before anybody leads: that is for the tiers alone.
        at_once = await everybody_hears(shop, switch, on=False, within=3)
        took = await takeover(shop, leading, began)
        later = [await everybody_hears(shop, switch, on, within=1) for on in (True, False)]
    assert await CALLS[FLAG].is_off(shop)
    figure(f"leader killed: a change is with all after {at_once:.2f} s, the standby leads after {took:.2f} s")
    figure(f"afterwards a change is with every process and the edge after {max(later):.2f} s")


async def test_a_frozen_leader_costs_nobody_a_change_and_does_no_harm_when_it_wakes_up(
    shop: Shop, switch: Switch, leading: Leading, mesh: Mesh, figure: Callable[[str], None]
) -> None:
    began = time.monotonic()
    async with frozen(leading.leader, mesh) as thaw:
        at_once = await everybody_hears(shop, switch, on=False, within=5)
        took = await takeover(shop, leading, began)
        later = [await everybody_hears(shop, switch, on, within=1) for on in (True, False)]
        changes = await switch.changes()
        thaw()
        refusals = await stays_off(shop)
    assert await who_leads(shop.settings) == [leading.standby]
    assert await switch.changes() == changes
    figure(f"leader frozen: a change is with all after {at_once:.2f} s, the standby leads after {took:.2f} s")
    figure(f"afterwards a change is with every process and the edge after {max(later):.2f} s")
    figure(f"awake again, for 6 s: the edge refused {refusals} of {refusals} calls, and every process had it off")
    await everybody_hears(shop, switch, on=True, within=1)
