"""The control loop: each second the leader reads the signals, decides the tier, writes it, and switches features.

A governor that dies leaves everything as it is; whoever takes the lease next goes on from what was written last.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Protocol

from governor.metrics import DECISIONS, LEADS, TIER
from governor.switch_features import Switchboard, SwitchFeatures
from governor.tier import Policy, Readings, Tier
from governor.tier_machine import Decision, Move, TierMachine
from governor.tier_standing import Standing, TierChange, signals_now
from governor.tier_store import TierStore
from governor.toggles import StaleLeader
from meshkit.clock import wall_ms
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger

log = get_logger(__name__)
TICK_SECONDS = 1.0
# A feature whose setting was lost or changed behind our back is right again after so many ticks.
SAY_AGAIN_TICKS = 5


class Signals(Protocol):
    def readings(self) -> Readings: ...


class Leading:
    """One term of leading."""

    def __init__(self, term: int, machine: TierMachine, switch: SwitchFeatures, changed_ms: int) -> None:
        self.term, self.machine, self.switch, self.changed_ms = term, machine, switch, changed_ms
        self.ticks = 0
        self.why, self.signal = f"tier {machine.tier.name}, taken over", ""


class Govern:
    """`features`: all that there are. `clock`: seconds that only go forward; `now_ms`: Unix milliseconds."""

    def __init__(
        self,
        policy: Policy,
        store: TierStore,
        signals: Signals,
        switchboard: Switchboard,
        features: Collection[str],
        *,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._policy, self._store, self._signals = policy, store, signals
        self._switchboard, self._features = switchboard, features
        self._clock, self._now_ms = clock, now_ms
        self._leading: Leading | None = None

    async def run(self) -> None:
        """Until cancelled; then the lease is given up, so that a standby leads at once."""
        try:
            while True:
                began = self._clock()
                await self.tick()
                await asyncio.sleep(max(0.05, TICK_SECONDS - (self._clock() - began)))
        finally:
            await self._resign()

    async def tick(self) -> Decision | None:
        """None where another leads, or where Redis does not answer: then nothing is changed."""
        try:
            leading = await self._lead()
            return await self._decide(leading) if leading is not None else None
        except DependencyUnavailable as error:
            log.warning("not governed, the last state stays", error=str(error))
        except StaleLeader:
            log.warning("another governor leads by now")
            self._leading = None
        LEADS.set(0)
        return None

    async def _lead(self) -> Leading | None:
        term = await self._store.take_lease()
        LEADS.set(1 if term else 0)
        if not term:
            self._leading = None
            standing = await self._store.standing()
            TIER.set(standing.tier if standing else Tier.NORMAL)
        elif self._leading is None or self._leading.term != term:
            self._leading = await self._begin(term)
        return self._leading

    async def _begin(self, term: int) -> Leading:
        """The tier as it was left. How long ago that was is taken from the wall clock: another process wrote it."""
        last = await self._store.standing()
        tier, changed_ms = (last.tier, last.changed_ms) if last else (Tier.NORMAL, 0)
        age = max(0.0, (self._now_ms() - changed_ms) / 1000)
        log.info("leads", term=term, tier=tier.name, holder=self._store.holder, dry_run=self._store.dry_run)
        machine = TierMachine(self._policy, tier, self._clock() - age)
        return Leading(term, machine, SwitchFeatures(self._switchboard, self._policy, self._features, term), changed_ms)

    async def _decide(self, leading: Leading) -> Decision | None:
        readings = self._signals.readings()
        decision = leading.machine.step(self._clock(), readings)
        DECISIONS.labels(decision.move.value).inc()
        moved = decision.move in (Move.RISE, Move.FALL)
        if moved:
            leading.changed_ms = self._now_ms()
            leading.why, leading.signal = f"tier {decision.before.name} → {decision.tier.name}", str(decision.cause)
            log.info("tier", why=decision.why, dry_run=self._store.dry_run)
        standing = self._standing(leading, decision, readings)
        await self._write(standing, TierChange.of(decision, standing) if moved else None)
        TIER.set(decision.tier)
        if leading.ticks % SAY_AGAIN_TICKS == 0 and not self._store.dry_run:
            leading.switch.forget()
        leading.ticks += 1
        await leading.switch(decision.tier, leading.why, leading.signal)
        return decision

    async def _write(self, standing: Standing, change: TierChange | None) -> None:
        """Before the features: after a crash in between, the next leader finds the tier and switches them."""
        try:
            if not await self._store.write(standing, change):
                raise StaleLeader
        except DependencyUnavailable:
            # Whether it was written is not known: the next tick begins from what Redis has.
            self._leading = None
            raise

    def _standing(self, leading: Leading, decision: Decision, readings: Readings) -> Standing:
        return Standing(
            tier=decision.tier,
            changed_ms=leading.changed_ms,
            at_ms=self._now_ms(),
            leader=self._store.holder,
            term=leading.term,
            policy=self._policy.name,
            why=decision.why,
            hold_left=decision.hold_left,
            signals=signals_now(self._policy, decision.tier, readings),
            off=self._policy.off_in(decision.tier),
        )

    async def _resign(self) -> None:
        if self._leading is None:
            return
        self._leading = None
        LEADS.set(0)
        try:
            await self._store.give_lease_up()
        except DependencyUnavailable:
            log.info("the lease runs out by itself")
