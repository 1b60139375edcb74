"""CancelOrder's use case on real MariaDB and Redis, and 1,000 of them racing payment_worker's own for the charge."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy.dialects.mysql import insert

from kernel.payment_steps import DEBIT, REFUND, UNBOOK
from kernel.schema import product_price
from kernel.stock.port import MoveKind
from kernel.stock.redis_adapter import RedisStock
from meshkit.clock import wall_ms
from meshkit.errors import DependencyUnavailable, IllegalState, OrderNotFound
from meshkit.identity import Identity, Role
from meshkit.kafka.publisher import Headers
from meshkit.lifecycle import background
from meshkit.redis_client import redis_pool
from order_worker.apply_standings import apply_standings
from order_worker.cancel_order import CancelOrder
from order_worker.get_order import GetOrder
from order_worker.order_reads import OrderReads
from order_worker.order_rows import to_message
from order_worker.reconcile_stock import reconcile_stock
from order_worker.write_results import write_results
from payment_worker.order import Order, decode_order
from payment_worker.patience import Patience
from payment_worker.ports import Debited
from payment_worker.providers import PROVIDER_OF
from payment_worker.results import KafkaResults
from payment_worker.settle_order import End, SettleOrder
from payment_worker.steps import StepTable
from payment_worker.take_back import TakeBack
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderCreated, PaymentOutcome, PaymentResult
from tests.fakes.payment import SHIPPING, FakeProviders
from tests.fakes.payment import World as Tape
from tests.integration.order_worker.world import World, accepted, people
from tests.polling import eventually
from tools.audit.check import check
from tools.audit.facts import Debit, Facts, Journal, Ledger, Log, Published
from tools.audit.invariants import INVARIANTS
from tools.audit.read_redis import read_buckets
from tools.audit.read_sql import read_database
from tools.audit.report import Verdict

SETTLED = PaymentOutcome.PAYMENT_OUTCOME_SETTLED
REFUNDED = PaymentOutcome.PAYMENT_OUTCOME_REFUNDED


class NoQueue:
    def eta_seconds(self) -> float | None:
        return 7.0


def cancelling(world: World, stock: RedisStock | None = None) -> CancelOrder:
    to = stock or world.stock
    return CancelOrder(world.engine, to, GetOrder(OrderReads(world.engine), to, NoQueue()))


def buyer(order: AcceptedOrder) -> Identity:
    return Identity(order.user_id, Role.BUYER)


async def test_before_the_charge_row_counters_and_reservation_go_together(world: World) -> None:
    of = await world.open_offer(units=5)
    [order] = placed = await world.reserve(of, people(1), quantity=2)
    cancel = cancelling(world)
    with pytest.raises(IllegalState) as raised:
        await cancel(order.order_id, buyer(order), "")
    assert raised.value.retry_after == 7.0
    assert await world.reservations(placed) == "R"
    await world.write(placed)
    for _ in range(2):
        found = await cancel(order.order_id, buyer(order), "found it cheaper")
        assert (found.state, found.reason) == ("CANCELLED", "found it cheaper")
        assert await world.counters(of) == (0, 0)
        assert await world.reservations(placed) == "X"
        assert await world.step(order.order_id, DEBIT) == "BARRED"


async def test_while_it_is_being_charged_the_buyer_is_told_when_to_ask_again(world: World) -> None:
    of = await world.open_offer(units=5)
    [order] = placed = await world.reserve(of, people(1))
    await world.write(placed)
    await world.start_step(order.order_id)
    with pytest.raises(IllegalState) as raised:
        await cancelling(world)(order.order_id, buyer(order), "")
    assert raised.value.retry_after == 1.0
    assert await world.states(placed) == ["CREATED"]


@pytest.mark.parametrize("ends_in", ["refund", "refusal"])
async def test_after_the_charge_it_is_asked_back_once(world: World, ends_in: str) -> None:
    of = await world.open_offer(units=5)
    [order] = placed = await world.reserve(of, people(1))
    await world.write(placed)
    await world.start_step(order.order_id)
    result = PaymentResult(order_id=order.order_id, outcome=SETTLED, shipping_minor=490)
    await apply_standings(world.stock, await write_results(world.engine, [result], wall_ms()))
    cancel = cancelling(world)
    for _ in range(2):
        found = await cancel(order.order_id, buyer(order), "")
        assert (found.state, found.cancelling) == ("TO_SHIP", True)
    assert await world.step(order.order_id, UNBOOK) == "STARTED"
    assert await world.step(order.order_id, REFUND) is None
    if ends_in == "refusal":
        await world.end_step(order.order_id, UNBOOK, "FAILED", "the parcel was collected")
        with pytest.raises(IllegalState) as raised:
            await cancel(order.order_id, buyer(order), "")
        assert raised.value.retry_after is None
        assert (await OrderReads(world.engine).some([order.order_id]))[0].reason.endswith("collected")
        return
    back = PaymentResult(order_id=order.order_id, outcome=REFUNDED, reason="cancelled by the buyer")
    await apply_standings(world.stock, await write_results(world.engine, [back], wall_ms()))
    assert await world.counters(of) == (0, 0)
    assert await world.reservations(placed) == "X"
    found = await cancel(order.order_id, buyer(order), "")
    assert (found.state, found.cancelling, found.reason) == ("REFUNDED", False, "cancelled by the buyer")


async def test_what_has_ended_otherwise_and_what_is_anothers_is_refused(world: World) -> None:
    of = await world.open_offer(units=5)
    [order] = placed = await world.reserve(of, people(1))
    await world.write(placed)
    cancel = cancelling(world)
    with pytest.raises(OrderNotFound):
        await cancel(order.order_id, Identity("eve", Role.BUYER), "")
    with pytest.raises(OrderNotFound):
        await cancel(accepted(of, "eve").order_id, Identity("eve", Role.BUYER), "")
    failed = PaymentResult(order_id=order.order_id, outcome=PaymentOutcome.PAYMENT_OUTCOME_FAILED, reason="declined")
    await write_results(world.engine, [failed], wall_ms())
    with pytest.raises(IllegalState) as raised:
        await cancel(order.order_id, Identity("shop", Role.SERVICE), "")
    assert raised.value.retry_after is None


async def test_killed_before_its_release_the_next_ask_or_the_reconciler_does_it(world: World) -> None:
    of = await world.open_offer(units=5)
    asked, _ = placed = await world.reserve(of, people(2))
    await world.write(placed)
    async with redis_pool(world.settings.redis) as redis:
        for order in placed:
            with pytest.raises(DependencyUnavailable):
                await cancelling(world, Deaf(redis))(order.order_id, buyer(order), "")
    assert await world.states(placed) == ["CANCELLED", "CANCELLED"]
    assert await world.reservations(placed) == "RR"
    await cancelling(world)(asked.order_id, buyer(asked), "")
    assert await world.reservations(placed) == "XR"
    assert await reconcile_stock(world.engine, world.stock, wall_ms() + 700_000, 0) >= 1
    assert await world.reservations(placed) == "XX"


class Deaf(RedisStock):
    """Cannot be told: what a kill between commit and release leaves behind."""

    async def release(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        raise DependencyUnavailable("redis")


RACES = 1_000
AT_ONCE = 40
BEFORE_ALL = ""
PHASES = (BEFORE_ALL, "quote", "quote", "debit", "debited", "completed")


async def test_a_thousand_cancels_race_the_debit(world: World) -> None:
    """Never charged and cancelled. Both sides' own use cases; the seed decides who waits how long before each call."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    of = await world.open_offer(units=RACES, limit=1)
    placed = await world.reserve(of, people(RACES))
    for start in range(0, RACES, 500):
        await world.write(placed[start : start + 500])
    race = Race(world, random.Random(seed))
    async with background(race.steps.run(), race.take_back.run(0.2)):
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*[race.run(order, gate) for order in placed])
        await eventually(lambda: race.quiet(placed), within=20, every=0.2)
    states = await world.states(placed)
    outcomes = Counter(states)
    print(outcomes)
    debited = {order_id for order_id, kind, _ in race.providers.moved if kind == "debit"}
    for order, state in zip(placed, states, strict=True):
        # Not even charged and refunded: that is the net below this one.
        assert (order.order_id in debited) == (state != "CANCELLED"), f"{order.order_id} is {state}"
        net = race.providers.net(order.order_id)
        charged = order.unit_price_minor + SHIPPING
        assert net == (charged if state == "TO_SHIP" else 0), f"{order.order_id} is {state} and was charged {net}"
        assert bool(race.providers.kept(order.order_id)) == (state == "TO_SHIP")
    assert min(outcomes["CANCELLED"], outcomes["REFUNDED"]) > 50
    assert set(outcomes) <= {"CANCELLED", "REFUNDED", "TO_SHIP"}
    report = check(await race.facts(of.sale_id, placed), INVARIANTS)
    assert [line for line in report.lines if line.verdict is not Verdict.HOLDS] == []


@dataclass
class Watched(FakeProviders):
    """Tells how far each order's settlement is, so that the seed says where its cancel begins."""

    passed: dict[tuple[str, str], asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    async def reached(self, order_id: str, call: str) -> None:
        if call != BEFORE_ALL:
            await self.passed[order_id, call].wait()

    async def quote(self, order: Order) -> int:
        self.passed[order.order_id, "quote"].set()
        return await super().quote(order)

    async def debit(self, order: Order, amount_minor: int) -> Debited:
        self.passed[order.order_id, "debit"].set()
        debited = await super().debit(order, amount_minor)
        self.passed[order.order_id, "debited"].set()
        return debited

    async def complete(self, order: Order, step: str, amount_minor: int) -> str:
        made = await super().complete(order, step, amount_minor)
        self.passed[order.order_id, "completed"].set()
        return made


class Told:
    """A Kafka for results that acknowledges at once."""

    def __init__(self) -> None:
        self.results: list[PaymentResult] = []

    async def publish(self, _topic: str, _key: str, value: bytes, _headers: Headers = ()) -> asyncio.Future[Any]:
        self.results.append(PaymentResult.FromString(value))
        ack: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        ack.set_result(None)
        return ack


class Race:
    """payment_worker's settlement and taking back over the real step table, order_worker's cancel and results."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world, self.dice = world, dice
        self.steps = StepTable(world.engine)
        self.providers = Watched(Tape(dice=dice), balance=10**12)
        self.told = Told()
        results = KafkaResults(self.told)  # type: ignore[arg-type]
        by_provider = {name: Patience(name, 100, 3, seed=1) for name in set(PROVIDER_OF.values())}
        patience = {step: by_provider[name] for step, name in PROVIDER_OF.items()}
        self.settle = SettleOrder(self.steps, self.providers, results, patience)
        self.take_back = TakeBack(self.steps, self.providers, results, patience)
        self.cancel = cancelling(world)
        self.consumer = asyncio.Lock()

    async def run(self, order: AcceptedOrder, gate: asyncio.Semaphore) -> None:
        async with gate:
            await asyncio.gather(self._pay(order), self._give_up(order))

    async def _pay(self, order: AcceptedOrder) -> None:
        row = await self.world.row(order.order_id)
        told = decode_order(OrderCreated(order=to_message(row._mapping)).SerializeToString())
        while (await self.settle(told, last_try=False)).end is End.RETRY:
            await self._wait(0.1)
        await self.write()

    async def _give_up(self, order: AcceptedOrder) -> None:
        """One in ten gives the wish up where it is told to ask again."""
        await self.providers.reached(order.order_id, self.dice.choice(PHASES))
        await self._wait(0.02)
        stubborn = self.dice.random() < 0.9
        for _ in range(200):
            try:
                await self.cancel(order.order_id, buyer(order), "racing")
            except (IllegalState, DependencyUnavailable) as error:
                if not stubborn or error.retry_after is None:
                    return
            else:
                return
            await self.write()
            await self._wait(0.05)
        raise AssertionError(f"order {order.order_id} was never settled")

    async def _wait(self, most: float) -> None:
        """The seed's own time between two calls of a race."""
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(self.dice.uniform(0, most), passed.set)
        await passed.wait()

    async def write(self) -> None:
        """What the results consumer does with what was told since."""
        async with self.consumer:
            results, self.told.results = self.told.results, []
            if results:
                await apply_standings(self.world.stock, await write_results(self.world.engine, results, wall_ms()))

    async def quiet(self, placed: list[AcceptedOrder]) -> bool:
        await self.write()
        return not await self.steps.started_back(1) and "PAID" not in await self.world.states(placed)

    async def facts(self, sale_id: str, placed: list[AcceptedOrder]) -> Facts:
        """What the audit reads, with the fake provider's books for its journal."""
        now = wall_ms()
        price = {"sku": "sku", "price_version": 1, "price_minor": 1999, "currency": "EUR", "created_ms": now}
        async with self.world.engine.begin() as connection:
            statement = insert(product_price).values(price)
            await connection.execute(statement.on_duplicate_key_update(price_minor=1999))
        database, buckets = await read_database(self.world.engine, sale_id)
        async with redis_pool(self.world.settings.redis) as redis:
            read = await read_buckets(redis, [(offer, buckets[offer.offer_no]) for offer in database.offers])
        return Facts(
            database=database,
            buckets=read,
            log=Log([Published(each.order_id, each.offer_no, each.request_hash) for each in placed], [], {}),
            journal=self._books(placed),
            queued=frozenset(each.order_id for each in placed),
            now_ms=now,
        )

    def _books(self, placed: list[AcceptedOrder]) -> Journal:
        owner = {each.order_id: each.user_id for each in placed}
        debits = [
            Debit(order_id, "DONE", owner[order_id], amount, refunded=self.providers.net(order_id) == 0)
            for order_id, kind, amount in self.providers.moved
            if kind == "debit"
        ]
        settled = {order_id: frozenset(self.providers.kept(order_id)) for order_id in owner}
        return Journal(debits, Ledger([], [], []), dict.fromkeys(owner, SHIPPING), settled)
