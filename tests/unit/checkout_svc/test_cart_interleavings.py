"""Two processes, one checkout asked for again and again, and Redis and processes that fail anywhere, by dice.

However it goes: one order a line, its units leave the cart once, and what was told as final is told for ever.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence

import pytest

from checkout_svc.cart import Checkout, FrozenCart, OfferKey
from checkout_svc.line_outcome import Outcome, is_final
from kernel.stock.results import ReserveRequest, ReserveResult
from meshkit.errors import DependencyUnavailable
from tests.fakes.publisher import FakePublisher
from tests.fakes.stock import FakeStock
from tests.unit.checkout_svc.cart_bench import CASE, PHONE, CartBench, Killed, MortalCarts, checkout, stocked


class Dice:
    """Between any two steps others may run; a call may be lost, before or after it was done, or its process die."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.calm = False

    async def tick(self) -> None:
        for _ in range(self.dice.randint(0, 4)):
            await asyncio.sleep(0)
        if not self.calm and self.dice.random() < 0.1:
            raise DependencyUnavailable("redis")

    def perhaps_die(self) -> None:
        if not self.calm and self.dice.random() < 0.1:
            raise Killed


class ShakenCarts(MortalCarts):
    def __init__(self, dice: Dice) -> None:
        super().__init__(dice.perhaps_die, dice.perhaps_die)
        self._dice = dice

    async def freeze(self, user_id: str, request_id: str, body: str) -> FrozenCart:
        await self._dice.tick()
        frozen = await super().freeze(user_id, request_id, body)
        await self._dice.tick()
        return frozen

    async def settle(self, user_id: str, request_id: str, outcomes: Mapping[OfferKey, Outcome]) -> FrozenCart:
        await self._dice.tick()
        settled = await super().settle(user_id, request_id, outcomes)
        await self._dice.tick()
        return settled


class ShakenStock(FakeStock):
    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self._dice = dice

    async def reserve(
        self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
    ) -> list[ReserveResult]:
        await self._dice.tick()
        results = await super().reserve(offer_no, bucket, epoch, requests)
        await self._dice.tick()
        return results


async def ask(process: CartBench, wish: Checkout, told: dict[str, set[str]]) -> list[Outcome]:
    try:
        lines = await process.checkout_cart(wish)
    except (DependencyUnavailable, Killed):
        return []
    for line, outcome in lines:
        if is_final(outcome):
            told.setdefault(line.sku, set()).add(getattr(outcome, "order_id", getattr(outcome, "reason", "")))
    return [outcome for _, outcome in lines]


async def play(seed: int) -> None:
    dice = Dice(seed)
    stock, carts, kafka = ShakenStock(dice), ShakenCarts(dice), FakePublisher()
    kafka.before = dice.perhaps_die
    first = await stocked(cases=dice.dice.choice((0, 5)), stock=stock, carts=carts, kafka=kafka)
    processes = [first, CartBench(stock=stock, kafka=kafka, registry=first.registry, carts=carts)]
    wish, told = checkout(), dict[str, set[str]]()
    for _ in range(3):
        await asyncio.gather(*[ask(dice.dice.choice(processes), wish, told) for _ in range(3)])
        if dice.dice.random() < 0.5:
            await first.add(PHONE)
    dice.calm = True
    added = sum(units for sku, units in await first.left() if sku == "phone")
    last = await ask(processes[0], wish, told)
    again = await ask(processes[1], wish, told)
    assert last == again
    assert all(is_final(outcome) for outcome in last)
    assert all(len(answers) == 1 for answers in told.values()), told
    sold = 1 if "SOLD_OUT" not in told["case"] else 0
    assert (await first.reserved(PHONE), await first.reserved(CASE)) == (2, sold)
    assert len({order.order_id for order in kafka.accepted()}) == 1 + sold
    left = dict(await first.left())
    assert left.get("case", 0) == 1 - sold
    assert added - left.get("phone", 0) in (0, 2)


@pytest.mark.parametrize("part", range(4))
async def test_one_order_a_line_whatever_fails(part: int) -> None:
    for seed in range(part * 50, part * 50 + 50):
        try:
            await play(seed)
        except BaseException:
            print(f"seed {seed}")
            raise
