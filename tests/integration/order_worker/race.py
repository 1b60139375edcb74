"""Both sides of a race for the debit: payment_worker's use cases and order_worker's, over real tables."""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.dialects.mysql import insert

from kernel.schema import product_price
from kernel.stock.redis_adapter import RedisStock
from meshkit.clock import wall_ms
from meshkit.errors import DependencyUnavailable, IllegalState
from meshkit.identity import Identity, Role
from meshkit.kafka.publisher import Headers
from meshkit.redis_client import redis_pool
from order_worker.apply_standings import apply_standings
from order_worker.cancel_order import CancelOrder
from order_worker.get_order import GetOrder
from order_worker.order_reads import OrderReads
from order_worker.order_rows import to_message
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
from tests.integration.order_worker.world import World
from tools.audit.facts import Debit, Facts, Journal, Ledger, Log, Published, Transfer
from tools.audit.read_redis import read_buckets
from tools.audit.read_sql import read_database

SETTLED = PaymentOutcome.PAYMENT_OUTCOME_SETTLED
REFUNDED = PaymentOutcome.PAYMENT_OUTCOME_REFUNDED


class NoQueue:
    def eta_seconds(self) -> float | None:
        return 7.0


def cancelling(world: World, stock: RedisStock | None = None, settled_seconds: float = 86_400) -> CancelOrder:
    to = stock or world.stock
    return CancelOrder(world.engine, to, GetOrder(OrderReads(world.engine), to, NoQueue()), settled_seconds)


def buyer(order: AcceptedOrder) -> Identity:
    return Identity(order.user_id, Role.BUYER)


BEFORE_ALL = ""
PHASES = (BEFORE_ALL, "quote", "quote", "debit", "debited", "completed")


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
        """Nothing is under way, and nothing was told that is not written: a refund is told before it is stored."""
        await self.write()
        under_way = await self.steps.started_back(1) or self.told.results
        return not under_way and "PAID" not in await self.world.states(placed)

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
            vouchers={},
            now_ms=now,
        )

    def _books(self, placed: list[AcceptedOrder]) -> Journal:
        owner = {each.order_id: each.user_id for each in placed}
        transfers = [
            Transfer(order_id, kind, owner[order_id], abs(amount), "EUR")
            for order_id, kind, amount in self.providers.moved
        ]
        debits = [
            Debit(each.order_id, each.user_id, each.amount_minor, "EUR", self.providers.net(each.order_id) == 0)
            for each in transfers
            if each.kind == "debit"
        ]
        settled = {order_id: frozenset(self.providers.kept(order_id)) for order_id in owner}
        return Journal(transfers, debits, Ledger([], [], []), dict.fromkeys(owner, SHIPPING), settled)
