"""The governor that leads is killed, or frozen: the mesh notices no more than that another one leads."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from meshkit.settings import ProcessSettings
from tests.e2e.shop import Shop
from tests.e2e.switch import PROCESSES, Switch, counted, passes, processes_that_have_it, refused
from tests.polling import eventually
from tools.devstack import Mesh, pause_process, resume_process, start_process, stop_process, wait_ready
from tools.devstack.table import GOVERNORS

TAKEOVER_SECONDS = 5.0


@dataclass(frozen=True)
class Leading:
    leader: str
    standby: str


async def leads(settings: ProcessSettings, governor: str) -> bool:
    return await asyncio.to_thread(counted, settings, governor, "peakmesh_governor_leads") == 1


async def who_leads(settings: ProcessSettings) -> list[str]:
    return [name for name in GOVERNORS if await leads(settings, name)]


@pytest.fixture
async def leading(shop: Shop, switch: Switch, mesh: Mesh) -> AsyncIterator[Leading]:
    """Both run afterwards, whatever the test did to one of them."""

    async def one() -> bool:
        return len(await who_leads(shop.settings)) == 1

    await eventually(one, within=10)
    [leader] = await who_leads(shop.settings)
    [standby] = [name for name in GOVERNORS if name != leader]
    yield Leading(leader, standby)
    for name in GOVERNORS:
        await asyncio.to_thread(wait_ready, name, mesh)
    await eventually(one, within=10)


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


async def everybody_hears(shop: Shop, switch: Switch, on: bool, within: float) -> None:
    """An operator switches through Envoy; the edge and each process follow."""
    began = time.monotonic()
    await switch.set(on)
    answered = time.monotonic() - began

    async def everywhere() -> bool:
        heard = await processes_that_have_it(shop.settings, on) == list(PROCESSES)
        return heard and await passes(shop) is on

    await eventually(everywhere, within=within)
    took = time.monotonic() - began
    print(f"  {'on' if on else 'off'}: answered after {answered:.2f} s, heard by all after {took:.2f} s")
    assert took <= within


async def assert_takeover(shop: Shop, leading: Leading, since: float) -> None:
    await eventually(partial(leads, shop.settings, leading.standby), within=TAKEOVER_SECONDS + 5)
    took = time.monotonic() - since
    print(f"  {leading.standby} leads after {took:.2f} s")
    assert took <= TAKEOVER_SECONDS


async def assert_stays_off(shop: Shop) -> None:
    """For six seconds: who wakes up reads Redis four times a second and tells Envoy all it knows every five."""
    began, refusals = time.monotonic(), 0

    async def is_over() -> bool:
        nonlocal refusals
        assert await refused(shop), "the edge does what was said last"
        assert await processes_that_have_it(shop.settings, on=False) == list(PROCESSES)
        refusals += 1
        return time.monotonic() - began > 6

    await eventually(is_over, within=10, every=0.01)
    print(f"  awake again: in 6 s the edge refused {refusals} of {refusals} calls, and every process had it off")


async def test_a_killed_leader_costs_nobody_a_change(shop: Shop, switch: Switch, leading: Leading, mesh: Mesh) -> None:
    print(f"{leading.leader} killed")
    began = time.monotonic()
    async with killed(leading.leader, mesh):
        # Before anybody leads: that is for the tiers alone.
        await everybody_hears(shop, switch, on=False, within=3)
        await assert_takeover(shop, leading, began)
        await everybody_hears(shop, switch, on=True, within=1)
        await everybody_hears(shop, switch, on=False, within=1)
    assert await refused(shop)


async def test_a_frozen_leader_costs_nobody_a_change_and_does_no_harm_when_it_wakes_up(
    shop: Shop, switch: Switch, leading: Leading, mesh: Mesh
) -> None:
    print(f"{leading.leader} frozen")
    began = time.monotonic()
    async with frozen(leading.leader, mesh) as thaw:
        await everybody_hears(shop, switch, on=False, within=5)
        await assert_takeover(shop, leading, began)
        await everybody_hears(shop, switch, on=True, within=1)
        await everybody_hears(shop, switch, on=False, within=1)
        changes = await switch.changes()
        thaw()
        await assert_stays_off(shop)
    assert await who_leads(shop.settings) == [leading.standby]
    assert await switch.changes() == changes
    await everybody_hears(shop, switch, on=True, within=1)
