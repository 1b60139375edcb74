"""Two governors on one Redis: the leader is killed, frozen, and both are; what was switched stays as it is."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from governor.tier import Tier
from governor.tier_standing import Standing
from governor.tier_store import TierStore
from governor.toggles import Toggles
from kernel.features import defaults
from meshkit.clock import wall_ms
from meshkit.ports import Ports
from meshkit.redis_client import redis_pool
from tests.integration.governor.operators import free_base, settings_for
from tests.integration.governor.pressure import Pressure, pressing
from tests.polling import eventually
from tools import devstack
from tools.devstack.spec import ROOT

TAKEOVER_SECONDS = 5.0
POLICY = """\
window_seconds: 2
rise: step
tiers:
  NORMAL: {hold_seconds: 1}
  BUSY: {hold_seconds: 1, enter_seconds: 0, calm_seconds: 1, enter: {accept_rate: 100}, exit: {accept_rate: 50},
         off: [purchase-history]}
  PEAK: {hold_seconds: 1, enter_seconds: 0, calm_seconds: 1, enter: {accept_rate: 200}, exit: {accept_rate: 150},
         off: [seller-analytics]}
  SURVIVAL: {hold_seconds: 1, enter_seconds: 0, calm_seconds: 1, enter: {accept_rate: 400}, exit: {accept_rate: 300},
             off: []}
"""
OFF_AT_PEAK = defaults() | {"purchase-history": False, "seller-analytics": False}


@pytest.fixture
def pressure() -> Iterator[Pressure]:
    with pressing() as pressed:
        yield pressed


@pytest.fixture
async def redis(data_servers: devstack.Mesh) -> AsyncIterator[Redis]:
    """Before and after, no governor ever led on it."""
    async with redis_pool(data_servers.settings.redis) as client:
        await forget(client)
        yield client
        await forget(client)


async def forget(redis: Redis) -> None:
    for keys in ([f"{{tier}}:{part}" for part in ("lease", "state", "journal")], ["{toggles}:settings"]):
        await redis.delete(*keys)


@asynccontextmanager
async def governor(
    mesh: devstack.Mesh, base: int, policy: Path, pressure: Pressure
) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = settings_for(mesh, base)
    environment = os.environ | {
        "PEAKMESH_PORT_BASE": str(base),
        "PEAKMESH_RUN_DIR": str(settings.run_dir),
        "PEAKMESH_REDIS_URL": settings.redis,
        "PEAKMESH_DB_URL": settings.database,
        "PEAKMESH_KAFKA_BOOTSTRAP": mesh.settings.kafka,
        "PEAKMESH_GOVERNOR_POLICY": str(policy),
        "PEAKMESH_GOVERNOR_SCRAPE": f"127.0.0.1:{pressure.port}",
        "PEAKMESH_GOVERNOR_DRY_RUN": "false",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated" / "python")]),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "governor", env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Watch:
    """What Redis says of the governors."""

    def __init__(self, redis: Redis) -> None:
        self._store, self._toggles = TierStore(redis, "a test"), Toggles(redis, wall_ms)

    async def standing(self) -> Standing:
        found = await self._store.standing()
        assert found is not None
        return found

    async def stands_at(self, tier: Tier) -> bool:
        found = await self._store.standing()
        return found is not None and found.tier is tier

    async def is_led_by(self, process: asyncio.subprocess.Process) -> bool:
        found = await self._store.standing()
        return found is not None and found.leader.startswith(f"{process.pid}-")

    async def states(self) -> dict[str, bool]:
        return {name: state.on for name, state in (await self._toggles.states()).items()}

    async def moves(self) -> list[Tier]:
        return [change.tier for _, change in reversed(await self._store.journal(50))]

    async def switches(self) -> int:
        return len(await self._toggles.journal(100))


@pytest.fixture
def bases() -> tuple[int, int]:
    first = free_base()
    return first, free_base(first + 1)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "tiers.yaml"
    file.write_text(POLICY)
    return file


async def test_a_standby_takes_over_and_the_last_state_outlives_them_all(
    data_servers: devstack.Mesh, redis: Redis, policy: Path, pressure: Pressure, bases: tuple[int, int]
) -> None:
    watch = Watch(redis)
    pressure.press(250)
    async with governor(data_servers, bases[0], policy, pressure) as first:
        await eventually(partial(watch.is_led_by, first), within=20)
        async with governor(data_servers, bases[1], policy, pressure) as second:
            await eventually(partial(serves, bases[1]), within=20)
            await eventually(partial(watch.stands_at, Tier.PEAK))
            await eventually(partial(features_are, watch, OFF_AT_PEAK))
            told = await watch.switches()
            first.kill()
            killed = time.monotonic()
            await eventually(partial(watch.is_led_by, second), within=TAKEOVER_SECONDS + 5)
            took = time.monotonic() - killed
            print(f"killed: the standby led after {took:.2f} s")
            assert took <= TAKEOVER_SECONDS
            assert (await watch.standing()).tier is Tier.PEAK
            assert await watch.states() == OFF_AT_PEAK
            assert await watch.switches() == told, "a takeover switches nothing"
            await assert_dead_governors_change_nothing(watch, second, pressure)


async def assert_dead_governors_change_nothing(
    watch: Watch, last: asyncio.subprocess.Process, pressure: Pressure
) -> None:
    last.kill()
    await last.wait()
    stood = await watch.standing()
    pressure.press(0)
    # Longer than the lease, a hold and the calm together.
    gone_at = time.monotonic()
    await eventually(lambda: time.monotonic() - gone_at > 4, within=6, every=0.5)
    assert await watch.standing() == stood
    assert await watch.states() == OFF_AT_PEAK
    assert await watch.moves() == [Tier.BUSY, Tier.PEAK]


async def test_a_frozen_leader_that_wakes_up_changes_nothing_and_an_orderly_end_hands_over_at_once(
    data_servers: devstack.Mesh, redis: Redis, policy: Path, pressure: Pressure, bases: tuple[int, int]
) -> None:
    watch = Watch(redis)
    pressure.press(250)
    async with (
        governor(data_servers, bases[0], policy, pressure) as first,
        governor(data_servers, bases[1], policy, pressure) as second,
    ):
        for base in bases:
            await eventually(partial(serves, base), within=20)
        await eventually(partial(watch.stands_at, Tier.PEAK))
        leader, standby = (first, second) if await watch.is_led_by(first) else (second, first)
        leader.send_signal(signal.SIGSTOP)
        frozen = time.monotonic()
        await eventually(partial(watch.is_led_by, standby), within=TAKEOVER_SECONDS + 5)
        took = time.monotonic() - frozen
        print(f"frozen: the standby led after {took:.2f} s")
        assert took <= TAKEOVER_SECONDS
        term = (await watch.standing()).term
        leader.send_signal(signal.SIGCONT)
        pressure.press(0)
        await eventually(partial(watch.stands_at, Tier.NORMAL))
        assert (await watch.standing()).term == term, "led throughout by one"
        assert await watch.moves() == [Tier.BUSY, Tier.PEAK, Tier.BUSY, Tier.NORMAL]
        # The tier is written first, its features a moment later.
        await eventually(partial(features_are, watch, dict.fromkeys(OFF_AT_PEAK, True)))
        standby.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        await eventually(partial(watch.is_led_by, leader), within=TAKEOVER_SECONDS)
        print(f"ended in order: the other led after {time.monotonic() - asked:.2f} s")


async def serves(base: int) -> bool:
    """Its server is the last thing that a governor starts."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", Ports(base)["governor"])
    except OSError:
        return False
    writer.close()
    return True


async def features_are(watch: Watch, states: dict[str, bool]) -> bool:
    return await watch.states() == states


async def test_a_policy_that_is_wrong_does_not_start_and_says_where(
    data_servers: devstack.Mesh, redis: Redis, tmp_path: Path, bases: tuple[int, int]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(POLICY.replace("rise: step", "rise: up"))
    settings = settings_for(data_servers, bases[0])
    environment = os.environ | {
        "PEAKMESH_PORT_BASE": str(bases[0]),
        "PEAKMESH_RUN_DIR": str(settings.run_dir),
        "PEAKMESH_REDIS_URL": settings.redis,
        "PEAKMESH_DB_URL": settings.database,
        "PEAKMESH_GOVERNOR_POLICY": str(bad),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "governor", env=environment, cwd=ROOT, stderr=pipe
    )
    _, told = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert "bad.yaml:2: rise must be one of step, jump" in told.decode()
