"""Toggles over a Redis of the test's own: what holds, what is journalled, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from governor.toggles import GOVERNOR, Change, Request, Source, StaleLeader, Toggles
from kernel.features import features
from meshkit.errors import DependencyUnavailable, InvalidFields, RequestIdReused
from tests.integration.kernel.redis_server import RedisServer

FLAG, OTHER = "purchase-history", "recommendations"
OLGA = "operator:olga"


@dataclass
class Clock:
    ms: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    running = RedisServer(tmp_path)
    await running.start()
    yield running
    running.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    client = server.client()
    yield client
    await client.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def toggles(redis: Redis, clock: Clock) -> Toggles:
    return Toggles(redis, clock)


def automatic(on: bool | None, fence: int = 0) -> Change:
    return Change(FLAG, on, GOVERNOR, "tier PEAK", "accept rate 900/s", fence=fence)


def by_hand(on: bool | None, expires_ms: int | None = None) -> Change:
    return Change(FLAG, on, OLGA, "a look", "", expires_ms)


async def told(toggles: Toggles) -> list[tuple[str, str, str]]:
    return [(entry.who, entry.what, entry.source) for entry in await toggles.journal(100)]


async def test_at_first_every_feature_is_as_the_file_has_it(toggles: Toggles) -> None:
    states = await toggles.states()
    assert set(states) == set(features())
    assert {(state.on, state.source) for state in states.values()} == {(True, Source.DEFAULT)}
    assert await toggles.journal(10) == []


async def test_a_change_tells_who_what_why_and_which_signal(toggles: Toggles, clock: Clock) -> None:
    assert await toggles.apply(automatic(on=False))
    [entry] = await toggles.journal(10)
    assert (entry.flag, entry.what, entry.who) == (FLAG, "off", GOVERNOR)
    assert (entry.why, entry.signal, entry.at_ms) == ("tier PEAK", "accept rate 900/s", clock.ms)
    assert (await toggles.states())[OTHER].on


async def test_an_override_holds_before_the_automatic_state_until_it_is_cleared(toggles: Toggles) -> None:
    await toggles.apply(by_hand(on=True))
    await toggles.apply(automatic(on=False))
    assert ((await toggles.states())[FLAG].on, (await toggles.states())[FLAG].source) == (True, Source.OVERRIDE)
    await toggles.apply(by_hand(on=None))
    assert ((await toggles.states())[FLAG].on, (await toggles.states())[FLAG].source) == (False, Source.AUTOMATIC)


async def test_an_override_ends_by_itself_and_two_governors_journal_that_once(
    redis: Redis, toggles: Toggles, clock: Clock
) -> None:
    await toggles.apply(by_hand(on=False, expires_ms=clock.ms + 1000))
    clock.ms += 999
    await toggles.expire()
    assert not (await toggles.states())[FLAG].on
    clock.ms += 1
    assert (await toggles.states())[FLAG].on
    await asyncio.gather(toggles.expire(), Toggles(redis, clock).expire())
    assert await told(toggles) == [("clock", "expired", "override"), (OLGA, "off", "override")]


async def test_what_is_so_already_is_not_journalled_again(toggles: Toggles) -> None:
    assert await toggles.apply(automatic(on=False))
    assert not await toggles.apply(automatic(on=False))
    assert not await toggles.apply(by_hand(on=None))
    assert len(await toggles.journal(10)) == 1


async def test_a_leader_of_an_earlier_term_changes_nothing(toggles: Toggles) -> None:
    await toggles.apply(automatic(on=False, fence=7))
    with pytest.raises(StaleLeader):
        await toggles.apply(automatic(on=True, fence=6))
    assert not (await toggles.states())[FLAG].on


async def test_a_request_id_does_its_work_once(toggles: Toggles) -> None:
    assert await toggles.apply(by_hand(on=False), Request("r1", "h1"))
    await toggles.apply(by_hand(on=True), Request("r2", "h2"))
    assert not await toggles.apply(by_hand(on=False), Request("r1", "h1"))
    assert (await toggles.states())[FLAG].on
    with pytest.raises(RequestIdReused):
        await toggles.apply(by_hand(on=False), Request("r1", "other"))


async def test_the_journal_goes_page_by_page_from_the_newest(toggles: Toggles) -> None:
    for count in range(5):
        await toggles.apply(Change(FLAG, bool(count % 2), OLGA, f"reason {count}"))
    first = await toggles.journal(3)
    rest = await toggles.journal(3, first[-1].entry_id)
    assert [entry.why for entry in (*first, *rest)] == [f"reason {count}" for count in (4, 3, 2, 1, 0)]


async def test_a_flag_that_there_is_not_is_refused_by_name(toggles: Toggles) -> None:
    with pytest.raises(InvalidFields) as raised:
        await toggles.apply(Change("checkout", False, OLGA, "no"))
    assert raised.value.violations[0][0] == "flag"


async def test_a_value_that_cannot_be_read_is_passed_over(redis: Redis, toggles: Toggles) -> None:
    await toggles.apply(Change(OTHER, False, OLGA, "off"))
    await redis.hset("{toggles}:settings", mapping={f"override:{FLAG}": "?", f"later:{FLAG}": "{}"})
    states = await toggles.states()
    assert (states[FLAG].on, states[OTHER].on) == (True, False)


async def test_a_killed_redis_forgets_nothing_and_is_told_as_such(server: RedisServer, toggles: Toggles) -> None:
    await toggles.apply(automatic(on=False))
    server.kill()
    with pytest.raises(DependencyUnavailable):
        await toggles.states()
    with pytest.raises(DependencyUnavailable):
        await toggles.apply(automatic(on=True))
    await server.restart()
    assert not (await toggles.states())[FLAG].on
    assert len(await toggles.journal(10)) == 1
