"""Two processes, one buyer who taps again and again, and everything that can happen between any two steps, by dice.

QUEUED and a cancel never meet; what was QUEUED is in Kafka or in the outbox.
"""

import asyncio
import random
from typing import Any

import pytest

from checkout_svc.purchase import Purchase
from meshkit.errors import DependencyUnavailable
from tests.fakes.publisher import Acks, FakePublisher
from tests.fakes.stock import FakeStock
from tests.unit.checkout_svc.bench import CONSENT_MS, OFFER, Bench, purchase

STEPS = ("mark_pending", "clear_pending", "start_cancel", "outbox_delete", "outbox_entries", "outbox_entry", "reserve")


class World:
    """Before and after each step others may run, time may pass as for a stopped process, and Redis may fail."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.stock: Any = Interrupted(self)
        self.kafka = InterruptedKafka(self)
        self.told: dict[str, set[bool]] = {}

    async def tick(self) -> None:
        for _ in range(self.dice.randint(0, 6)):
            await asyncio.sleep(0)
        if self.dice.random() < 0.1:
            self.stock.now_ms += self.dice.choice((2_000, CONSENT_MS))

    async def tap(self, process: Bench, wish: Purchase) -> None:
        call = asyncio.create_task(process.place(wish))
        if self.dice.random() < 0.1:
            await self.tick()
            call.cancel()
        try:
            answer = await call
        except (DependencyUnavailable, asyncio.CancelledError):
            return
        self.told.setdefault(answer.order_id, set()).add(answer.queued)

    async def upkeep(self, process: Bench) -> None:
        for _ in range(self.dice.randint(1, 3)):
            await self.tick()
            try:
                await self.dice.choice((process.relay.relay_all, process.cleaner.clean))()
            except DependencyUnavailable:
                continue

    async def die(self, process: Bench) -> None:
        await self.tick()
        process.start()
        await process.offers.refresh()


class Interrupted(FakeStock):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self.failing = world, False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return self._interrupted(found) if name in STEPS else found

    def _interrupted(self, step: Any) -> Any:
        async def run(*args: Any) -> Any:
            await self._world.tick()
            fate = self._world.dice.random() if self.failing else 1.0
            if fate < 0.05:
                raise DependencyUnavailable("redis", "not done")
            result = await step(*args)
            await self._world.tick()
            if fate < 0.1:
                raise DependencyUnavailable("redis", "done, and the reply lost")
            return result

        return run


class InterruptedKafka(FakePublisher):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.fates = [Acks.AT_ONCE, Acks.LOST, Acks.REFUSED]

    async def publish(self, *args: Any) -> asyncio.Future[Any]:
        await self._world.tick()
        self.acks = self._world.dice.choice(self.fates)
        ack = await super().publish(*args)
        await self._world.tick()
        return ack


async def run(seed: int) -> World:
    world = World(seed)
    one = await Bench(world.stock, world.kafka).open(units=9)
    two = Bench(world.stock, world.kafka)
    await two.offers.refresh()
    for process in (one, two):
        process.start(budget=5.0)
        await process.offers.refresh()
    world.stock.failing = True
    wishes = [purchase("ann"), purchase("bob")]
    for _ in range(world.dice.randint(1, 4)):
        doings: list[Any] = []
        for _ in range(world.dice.randint(1, 5)):
            process = world.dice.choice((one, two))
            pick = world.dice.random()
            if pick < 0.5:
                doings.append(world.tap(process, world.dice.choice(wishes)))
            else:
                doings.append(world.upkeep(process) if pick < 0.9 else world.die(process))
        await asyncio.gather(*doings)
        world.stock.now_ms += world.dice.choice((0, 2_000, CONSENT_MS))
    world.stock.failing = False
    return world


@pytest.mark.parametrize("seed", range(0, 1_000, 100))
async def test_queued_and_cancelled_never_meet_and_nothing_queued_is_lost(seed: int) -> None:
    cancelled_ever = queued_ever = 0
    for each in range(seed, seed + 100):
        world = await run(each)
        cancelled = {order.order_id for order in world.kafka.cancelled()}
        accepted = {order.order_id for order in world.kafka.accepted()}
        waiting = {entry.order_id for entry in await world.stock.outbox_entries(OFFER.offer_no, 0, 0, 100)}
        queued = {order_id for order_id, told in world.told.items() if True in told}
        assert not queued & cancelled, f"seed {each}"
        assert queued <= accepted | waiting, f"seed {each}"
        assert set(world.told) <= accepted | cancelled | waiting, f"seed {each}"
        cancelled_ever, queued_ever = cancelled_ever + len(cancelled), queued_ever + len(queued)
    # Dice that never lead to one of the two would prove nothing.
    assert cancelled_ever > 0
    assert queued_ever > 0
