"""The loop over fakes: order of the features, lost leases, and what happens when Redis fails in between."""

import asyncio
from dataclasses import dataclass, field

import pytest

from governor.govern import Govern
from governor.switch_features import LogOnly, SwitchFeatures
from governor.tier import Readings, Signal, Tier
from governor.tier_machine import Move
from governor.tier_standing import Standing, TierChange
from governor.tier_store import TierStore
from governor.toggle_state import GOVERNOR, Change
from governor.toggles import StaleLeader
from meshkit.errors import DependencyUnavailable
from tests.polling import eventually
from tests.unit.governor.policies import FEATURES, policy, pressed

POLICY = policy()
NOW = 1_800_000_000_000


@dataclass
class Board:
    """Which features are off, and every change in its order; fails while `broken`."""

    off: list[str] = field(default_factory=list)
    said: list[Change] = field(default_factory=list)
    broken: int = -1  # so many changes still work; -1: all
    stale: bool = False

    async def apply(self, change: Change) -> bool:
        if self.stale:
            raise StaleLeader
        if self.broken == 0:
            raise DependencyUnavailable("redis")
        self.broken -= 1
        if (change.flag in self.off) is (change.on is False):
            return False
        self.said.append(change)
        self.off.append(change.flag) if change.on is False else self.off.remove(change.flag)
        return True


class Shelf(TierStore):
    """Redis' part, in memory, shared by several governors."""

    def __init__(self) -> None:
        self.holder, self.dry_run = "one", False
        self.term, self.leads, self.down = 1, True, False
        self.last: Standing | None = None
        self.changes: list[TierChange] = []

    async def take_lease(self) -> int:
        if self.down:
            raise DependencyUnavailable("redis")
        return self.term if self.leads else 0

    async def give_lease_up(self) -> None:
        self.leads = False

    async def write(self, standing: Standing, change: TierChange | None) -> bool:
        if self.down:
            raise DependencyUnavailable("redis")
        if standing.term != self.term or not self.leads:
            return False
        self.last = Standing.decode(standing.encode().encode())
        self.changes += [TierChange.from_fields(stored(change))] if change else []
        return True

    async def standing(self) -> Standing | None:
        if self.down:
            raise DependencyUnavailable("redis")
        return self.last


def stored(change: TierChange) -> dict[bytes, bytes]:
    return {name.encode(): str(value).encode() for name, value in change.fields().items()}


class World:
    """One governor on a clock of the test's own."""

    def __init__(self, shelf: Shelf | None = None, board: Board | None = None, second: float = 0.0) -> None:
        self.shelf, self.board, self.second = shelf or Shelf(), board or Board(), second
        self.now_readings: Readings = pressed()
        self.govern = Govern(
            POLICY,
            self.shelf,
            self,
            self.board,
            FEATURES,
            clock=lambda: self.second,
            now_ms=lambda: NOW + int(self.second * 1000),
        )

    def readings(self) -> Readings:
        return self.now_readings

    async def run(self, seconds: int, **values: float | None) -> list[Tier]:
        self.now_readings = pressed(**values)
        tiers = []
        for _ in range(seconds):
            decision = await self.govern.tick()
            tiers += [decision.tier] if decision else []
            self.second += 1
        return tiers


def told(board: Board) -> list[tuple[str, bool | None]]:
    return [(change.flag, change.on) for change in board.said]


async def test_features_go_off_in_order_and_come_back_in_reverse() -> None:
    world = World()
    await world.run(20, accept_rate=400)
    assert told(world.board) == [(name, False) for name in FEATURES]
    world.board.said.clear()
    await world.run(40)
    assert told(world.board) == [(name, None) for name in reversed(FEATURES)]
    assert [(each.before, each.tier) for each in world.shelf.changes] == [
        (Tier.NORMAL, Tier.BUSY),
        (Tier.BUSY, Tier.PEAK),
        (Tier.PEAK, Tier.SURVIVAL),
        (Tier.SURVIVAL, Tier.PEAK),
        (Tier.PEAK, Tier.BUSY),
        (Tier.BUSY, Tier.NORMAL),
    ]


async def test_every_change_tells_its_tier_its_signal_and_its_term() -> None:
    world = World()
    await world.run(2, kafka_lag=1200)
    [change] = world.board.said
    assert change == Change(FEATURES[0], False, GOVERNOR, "tier NORMAL → BUSY", "kafka_lag 1200 ≥ 1000", fence=1)
    [journalled] = world.shelf.changes
    assert (journalled.signal, journalled.value, journalled.threshold) == ("kafka_lag", 1200, 1000)
    assert world.shelf.last is not None
    assert world.shelf.last.off == (FEATURES[0],)
    assert {now.signal: now.reading.value for now in world.shelf.last.signals}[Signal.KAFKA_LAG] == 1200


async def test_a_successor_goes_on_where_the_leader_stood_and_switches_nothing() -> None:
    first = World()
    await first.run(12, accept_rate=250)
    assert first.board.off == list(FEATURES[:3])
    first.board.said.clear()
    first.shelf.term = 2
    second = World(first.shelf, first.board, second=first.second)
    assert await second.run(4, accept_rate=None) == [Tier.PEAK] * 4
    assert first.board.said == []
    assert await first.run(3, accept_rate=None) == [Tier.PEAK] * 3, "the same store: its next term is taken up"


async def test_a_leader_that_another_replaced_writes_nothing() -> None:
    world = World()
    await world.run(2)
    world.shelf.leads = False
    assert await world.run(5, accept_rate=400) == []
    assert (world.board.said, world.shelf.changes) == ([], [])


async def test_a_term_that_is_over_for_the_features_ends_the_lead() -> None:
    world = World()
    world.board.stale = True
    await world.run(1, accept_rate=120)
    assert world.board.said == []


async def test_while_redis_is_away_nothing_changes_and_then_it_goes_on() -> None:
    world = World()
    await world.run(3, accept_rate=120)
    world.shelf.down = True
    assert await world.run(30, accept_rate=400) == []
    assert world.board.off == [FEATURES[0]]
    world.shelf.down = False
    tiers = await world.run(4, accept_rate=400)
    assert tiers[-1] is Tier.PEAK


async def test_a_change_cut_off_in_the_middle_is_finished_in_order() -> None:
    world = World()
    await world.run(7, accept_rate=120)
    world.board.broken = 2
    await world.run(3, accept_rate=250)
    world.board.broken = 0
    await world.run(5, accept_rate=250)
    world.board.broken = -1
    await world.run(3, accept_rate=250)
    assert world.board.off == list(FEATURES[:3])
    assert [change.flag for change in world.board.said] == list(FEATURES[:3]), "each once"


async def test_a_crash_between_the_tier_and_its_features_is_healed_by_the_next_leader() -> None:
    world = World()
    world.board.broken = 0
    await world.run(1, accept_rate=120)
    assert world.shelf.last is not None
    assert (world.shelf.last.tier, world.board.off) == (Tier.BUSY, [])
    world.board.broken, world.shelf.term = -1, 2
    await World(world.shelf, world.board).run(1, accept_rate=120)
    assert world.board.off == [FEATURES[0]]


async def test_a_feature_changed_behind_its_back_is_right_again_after_a_few_ticks() -> None:
    world = World()
    await world.run(3, accept_rate=120)
    world.board.off.clear()
    await world.run(6, accept_rate=120)
    assert world.board.off == [FEATURES[0]]


async def test_a_feature_that_the_policy_no_longer_knows_is_given_back() -> None:
    board = Board(off=["an-old-one"])
    await SwitchFeatures(board, POLICY, (*FEATURES, "an-old-one"), 3)(Tier.BUSY, "why", "")
    assert board.off == [FEATURES[0]]


async def test_a_dry_run_says_only_what_would_change() -> None:
    board = LogOnly()
    off, back = Change("f", False, GOVERNOR, "why"), Change("f", None, GOVERNOR, "why")
    assert [await board.apply(change) for change in (back, off, off, back, back)] == [False, True, False, True, False]


async def test_a_governor_that_ends_gives_its_lease_up() -> None:
    world = World()
    running = asyncio.create_task(world.govern.run())
    await eventually(lambda: world.shelf.last is not None)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not world.shelf.leads


async def test_a_held_rise_is_told_and_not_done() -> None:
    world = World()
    await world.run(1, accept_rate=120)
    world.now_readings = pressed(accept_rate=400)
    decision = await world.govern.tick()
    assert decision is not None
    assert decision.move is Move.HELD
    assert world.shelf.last is not None
    assert world.shelf.last.hold_left > 0
