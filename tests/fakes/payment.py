"""A world without servers for payment_worker: a step table, providers with a journal, and Kafka's results.

Every effect is announced to `World.tick` before and after it happens, so that a test can crash the worker between any
two of them and look at what was left behind.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from kernel.payment_steps import (
    BARRED,
    BOOKING,
    COINS,
    CREDIT,
    DEBIT,
    INVOICE,
    QUOTE,
    REFUND,
    REVOKE,
    STARTED,
    TAKING_BACK,
    UNBOOK,
)
from meshkit.errors import DeadlinePassed, DependencyUnavailable, KeyBarred, KeyNotFound, PeakmeshError
from payment_worker.order import Order
from payment_worker.ports import Debited
from payment_worker.step_rows import Applied, Change, Rows, StepRow, apply
from peakmesh.order.v1 import order_pb2

SHIPPING = 490
_TAKES = {UNBOOK: BOOKING, CREDIT: INVOICE, REVOKE: COINS}


class Crash(BaseException):
    """The process died here. A BaseException, since no handler outlives a kill -9."""


@dataclass
class World:
    """What survives a crash. `crash_at` counts ticks; None never crashes."""

    crash_at: int | None = None
    ticks: int = 0
    dice: random.Random | None = None

    async def tick(self) -> None:
        """With `dice`, other settlements may run meanwhile."""
        for _ in range(self.dice.randint(0, 4) if self.dice else 0):
            await asyncio.sleep(0)
        self.ticks += 1
        if self.crash_at is not None and self.ticks == self.crash_at:
            raise Crash


@dataclass
class FakeSteps:
    world: World
    tables: dict[str, Rows] = field(default_factory=dict)

    async def change(self, change: Change) -> Applied:
        await self.world.tick()
        applied = apply(self.tables.get(change.order_id, {}), change)
        self.tables[change.order_id] = applied.rows
        await self.world.tick()
        return applied

    async def started_back(self, limit: int) -> list[StepRow]:
        rows = [row for rows in self.tables.values() for row in rows.values() if row.step in TAKING_BACK]
        return [row for row in rows if row.state == STARTED][:limit]

    def put(self, order_id: str, row: StepRow) -> None:
        self.tables[order_id] = {**self.tables.get(order_id, {}), row.step: row}

    def bar(self, order_id: str) -> bool:
        """What a cancel does; False where the debit came first."""
        rows = self.tables.get(order_id, {})
        if DEBIT in rows:
            return False
        self.put(order_id, StepRow(order_id, DEBIT, state=BARRED))
        return True


@dataclass
class FakeProviders:
    """Idempotent by key like the sandbox. `faults` maps a call's name to what it does, oldest first, then works.

    "down": refused before anything was done. "lost": done, and the answer lost. An error: raised, nothing done.
    """

    world: World
    balance: int = 1_000_000
    faults: dict[str, list[str | PeakmeshError]] = field(default_factory=dict)
    always: dict[str, str | PeakmeshError] = field(default_factory=dict)
    debits: dict[str, Debited] = field(default_factory=dict)
    moved: list[tuple[str, str, int]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    barred: set[str] = field(default_factory=set)

    def net(self, order_id: str) -> int:
        """Minor units the buyer is out of pocket for the order."""
        return sum(amount for order, _, amount in self.moved if order == order_id)

    async def quote(self, order: Order) -> int:
        await self._before("quote")
        await self._after("quote")
        return SHIPPING

    async def debit(self, order: Order, amount_minor: int) -> Debited:
        await self._before("debit")
        if order.order_id not in self.debits:
            self.debits[order.order_id] = self._first_debit(order, amount_minor)
        await self._after("debit")
        return self.debits[order.order_id]

    async def find_debit(self, order: Order) -> Debited | None:
        await self._before("find_debit")
        return self.debits.get(order.order_id)

    async def void(self, order: Order) -> None:
        await self._before("void")
        known = self.debits.get(order.order_id)
        if known is not None and known.state == "DONE":
            self.moved.append((order.order_id, "void", -self.net(order.order_id)))
        self.debits[order.order_id] = Debited("VOIDED")
        await self._after("void")

    async def take_back(self, order_id: str, step: str) -> str:
        await self._before(step)
        if step == REFUND:
            self._refund(order_id)
        else:
            self.barred.add(f"{order_id}:{_TAKES[step]}")
        await self._after(step)
        return f"{step}-1"

    def _refund(self, order_id: str) -> None:
        known = self.debits.get(order_id)
        if known is None or known.state != "DONE":
            raise KeyNotFound("no such debit")
        if not any(entry[:2] == (order_id, "refund") for entry in self.moved):
            self.moved.append((order_id, "refund", -self.net(order_id)))

    def kept(self, order_id: str) -> set[str]:
        """Booking, invoice and coins that the order has and nobody took back."""
        made = {key.rsplit(":", 1)[0] for key in self.done if key.startswith(order_id)}
        return {key.rsplit(":", 1)[1] for key in made - self.barred}

    async def complete(self, order: Order, step: str, amount_minor: int) -> str:
        await self._before(step)
        if f"{order.order_id}:{step}" in self.barred:
            raise KeyBarred("this was taken back")
        self.done[f"{order.order_id}:{step}:{amount_minor}"] = 1
        await self._after(step)
        return f"{step}-1"

    def _first_debit(self, order: Order, amount_minor: int) -> Debited:
        if amount_minor > self.balance:
            return Debited("DECLINED", reason="the wallet holds too little")
        self.balance -= amount_minor
        self.moved.append((order.order_id, "debit", amount_minor))
        return Debited("DONE", "transfer-1")

    async def _before(self, call: str) -> None:
        await self.world.tick()
        self.calls[call] += 1
        fault = self._fault(call)
        if fault == "down":
            self._used(call)
            raise DependencyUnavailable(call)
        if isinstance(fault, PeakmeshError):
            self._used(call)
            raise fault

    async def _after(self, call: str) -> None:
        await self.world.tick()
        if self._fault(call) == "lost":
            self._used(call)
            raise DeadlinePassed(f"{call} did not answer")

    def _fault(self, call: str) -> str | PeakmeshError | None:
        waiting = self.faults.get(call)
        return waiting[0] if waiting else self.always.get(call)

    def _used(self, call: str) -> None:
        if self.faults.get(call):
            self.faults[call].pop(0)


@dataclass
class FakeResults:
    world: World
    told: list[tuple[str, str, str]] = field(default_factory=list)

    async def paid(self, order: Order, rows: Rows) -> None:
        await self._tell(order.order_id, "PAID", str(rows[DEBIT].amount_minor))

    async def settled(self, order: Order, rows: Rows) -> None:
        await self._tell(order.order_id, "SETTLED", str(rows[QUOTE].amount_minor))

    async def failed(self, order: Order, rows: Rows, reason: str) -> None:
        await self._tell(order.order_id, "FAILED", reason)

    async def refunded(self, order_id: str, amount_minor: int, currency: str, reason: str) -> None:
        await self._tell(order_id, "REFUNDED", f"{amount_minor} {currency} {reason}")

    def outcomes(self, order_id: str) -> list[str]:
        return [outcome for order, outcome, _ in self.told if order == order_id]

    async def _tell(self, order_id: str, outcome: str, words: str) -> None:
        await self.world.tick()
        self.told.append((order_id, outcome, words))
        await self.world.tick()


def an_order(order_id: str = "order-1", goods_minor: int = 10_000) -> Order:
    address = order_pb2.ShippingAddress(recipient="A", street="1 St", city="B", postal_code="1", country_code="DE")
    return Order(order_id, "buyer-1", goods_minor, "EUR", 500, address)


def some_faults(seed: int) -> dict[str, list[str | PeakmeshError]]:
    """Up to three faults a call, of either kind."""
    dice = random.Random(seed)
    calls = ("quote", "debit", "find_debit", "void", BOOKING, INVOICE, COINS)
    return {call: [dice.choice(["down", "lost"]) for _ in range(dice.randint(0, 3))] for call in calls}
