"""What a test of order_worker sees of the real servers: offers, reservations, rows, records."""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.order_states import OrderState
from kernel.schema import offer, orders, payment_step
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.results import ReserveKind, ReserveRequest
from kernel.topics import ORDERS_INTAKE, PARTITIONS, PAYMENTS_RESULTS
from meshkit.clock import wall_ms
from meshkit.db.engine import database, run_transaction
from meshkit.kafka.publisher import Publisher, publishing
from meshkit.redis_client import redis_pool
from meshkit.settings import ProcessSettings
from order_worker.plan_batch import Intake
from order_worker.settings import Settings
from order_worker.standing import Standing
from order_worker.write_orders import write_orders
from peakmesh.event.v1.events_pb2 import AcceptedOrder, CancelledOrder, OrderIntake, PaymentResult
from peakmesh.order.v1.order_pb2 import ShippingAddress
from tools.devstack.spec import Mesh

ADDRESS = ShippingAddress(recipient="Zoë", street="High Street 1", city="Köln", postal_code="50667", country_code="DE")

# What says that nobody waits for an order any more, nor would miss it.
OVER = (("criticality", b"SHEDDABLE"), ("deadline-ms", b"1"), ("call-deadline-ms", b"1"))


@dataclass
class World:
    settings: ProcessSettings
    engine: AsyncEngine
    stock: RedisStock
    publisher: Publisher

    async def open_offer(self, units: int, limit: int = 9, in_redis: int | None = None) -> Offer:
        """`in_redis`: units there, where a drill wants another number than in SQL."""
        sale_id = f"sale-{uuid4().hex[:12]}"
        values = {"sale_id": sale_id, "sku": "sku", "initial": units, "unit_limit": limit, "price_minor": 1999}
        values |= {"currency": "EUR", "price_version": 1, "unit_weight_grams": 100, "state": "OPEN"}
        values |= {"opens_ms": 0, "closes_ms": 0, "epoch": 1}
        async with self.engine.begin() as connection:
            number = (await connection.execute(insert(offer).values(values))).inserted_primary_key[0]  # type: ignore[index]
        opened = Offer(number, sale_id, "sku", 1999, "EUR", 1, 100, 1, 1, limit)
        assert await self.stock.open_offer(opened, units if in_redis is None else in_redis, 0, 0)
        return opened

    async def reserve(self, of: Offer, users: Sequence[str], quantity: int = 1, **fields: Any) -> list[AcceptedOrder]:
        """Reserved in Redis and out of the outbox, as if Kafka had acknowledged each."""
        placed = [accepted(of, user, quantity, **fields) for user in users]
        requests = [
            ReserveRequest(o.order_id, o.user_id, o.request_id, o.request_hash, quantity, 1, b"e", 1) for o in placed
        ]
        results = await self.stock.reserve(of.offer_no, 0, 1, requests)
        assert {result.kind for result in results} == {ReserveKind.RESERVED}
        await self.stock.outbox_delete(of.offer_no, 0, 1, [result.entry_id for result in results])
        return placed

    async def write(self, placed: Iterable[AcceptedOrder], *, cancelled: bool = False) -> dict[str, OrderState]:
        batch = [Intake(order, 0, n, cancelled, "nobody asked" if cancelled else "") for n, order in enumerate(placed)]
        return by_id(await write_orders(self.engine, batch, [], wall_ms()))

    async def states(self, placed: Iterable[AcceptedOrder]) -> list[str | None]:
        """Of the rows, in the order given; None without a row."""
        ids = [order.order_id for order in placed]
        async with self.engine.connect() as connection:
            rows = await connection.execute(select(orders.c.order_id, orders.c.state).where(orders.c.order_id.in_(ids)))
            found: dict[str, str] = {row.order_id: row.state for row in rows}
        return [found.get(each) for each in ids]

    async def row(self, order_id: str) -> Any:
        async with self.engine.connect() as connection:
            return (await connection.execute(select(orders).where(orders.c.order_id == order_id))).one_or_none()

    async def counters(self, of: Offer) -> tuple[int, int]:
        """(reserved, sold) in SQL, checked against the sums of the rows."""
        async with self.engine.connect() as connection:
            held = (await connection.execute(select(offer).where(offer.c.offer_no == of.offer_no))).one()
            total = select(orders.c.state, func.sum(orders.c.quantity)).where(orders.c.offer_no == of.offer_no)
            sums = {state: int(units) for state, units in await connection.execute(total.group_by(orders.c.state))}
        assert held.reserved == sums.get("CREATED", 0)
        assert held.sold == sums.get("PAID", 0) + sums.get("TO_SHIP", 0)
        return held.reserved, held.sold

    async def reservations(self, placed: Iterable[AcceptedOrder]) -> str:
        """Their states in Redis, a letter each."""
        found = [await self.stock.reservation(order.order_id) for order in placed]
        return "".join("-" if each is None else each.state for each in found)

    async def step(self, order_id: str, name: str) -> str | None:
        async with self.engine.connect() as connection:
            query = select(payment_step.c.state)
            return await connection.scalar(
                query.where(payment_step.c.order_id == order_id, payment_step.c.step == name)
            )

    async def start_step(self, order_id: str, name: str = "debit") -> None:
        """What payment_worker commits before its call. Raises IntegrityError when the step is there."""
        await self.start_steps([order_id], name)

    async def start_steps(self, order_ids: Iterable[str], name: str = "debit") -> None:
        now = wall_ms()
        same = {"step": name, "state": "STARTED", "currency": "EUR"}
        same_times = {"deadline_ms": now, "created_ms": now, "updated_ms": now}
        rows = [{"order_id": each, "idempotency_key": f"{each}:{name}"} | same | same_times for each in order_ids]
        # As payment_worker does it: a deadlock with who bars the same debit is redone.
        await run_transaction(self.engine, lambda connection: connection.execute(insert(payment_step), rows))

    async def end_step(self, order_id: str, name: str, state: str, reason: str = "") -> None:
        """What payment_worker stores when a provider has answered."""
        where = (payment_step.c.order_id == order_id, payment_step.c.step == name)
        async with self.engine.begin() as connection:
            values = {"state": state, "reason": reason, "updated_ms": wall_ms()}
            await connection.execute(update(payment_step).where(*where).values(values))

    async def age(self, placed: Iterable[AcceptedOrder], **columns: int) -> None:
        ids = [order.order_id for order in placed]
        async with self.engine.begin() as connection:
            await connection.execute(update(orders).where(orders.c.order_id.in_(ids)).values(**columns))

    async def send(self, placed: Iterable[AcceptedOrder], *, cancelled: bool = False) -> None:
        records: list[tuple[str, bytes, list[tuple[str, bytes]]]] = []
        for order in placed:
            cancel = OrderIntake(cancelled=CancelledOrder(order=order, reason="nobody asked"))
            message = cancel if cancelled else OrderIntake(accepted=order)
            records.append((order.order_id, message.SerializeToString(), list(OVER)))
        await self.publisher.publish_all(ORDERS_INTAKE, records)

    async def send_results(self, results: Iterable[PaymentResult]) -> None:
        records: list[tuple[str, bytes, list[tuple[str, bytes]]]] = [
            (result.order_id, result.SerializeToString(), []) for result in results
        ]
        await self.publisher.publish_all(PAYMENTS_RESULTS, records)

    async def read_all(self, topic: str) -> list[Any]:
        """Every record of the topic so far."""
        client = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka, auto_offset_reset="earliest")
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        await client.start()
        try:
            ends = await client.end_offsets(places)
            client.assign(places)
            await client.seek_to_beginning()
            found: list[Any] = []
            deadline = time.monotonic() + 10
            # Not until it stands there: what is written meanwhile may carry it past.
            while any([await client.position(place) < ends[place] for place in places]):
                assert time.monotonic() < deadline, f"{topic} could not be read to its end"
                for records in (await client.getmany(timeout_ms=100)).values():
                    found += records
            return found
        finally:
            await client.stop()

    async def keys_of(self, topic: str) -> list[str]:
        return [record.key.decode() for record in await self.read_all(topic)]


def accepted(of: Offer, user: str, quantity: int = 1, **fields: Any) -> AcceptedOrder:
    values: dict[str, Any] = {
        "order_id": new_order_id(of.offer_no, 0),
        "offer_no": of.offer_no,
        "sale_id": of.sale_id,
        "sku": of.sku,
    }
    values |= {"quantity": quantity, "user_id": user, "request_id": str(uuid4()), "request_hash": "ab" * 16}
    values |= {"unit_price_minor": of.price_minor, "currency": "EUR", "price_version": 1, "unit_weight_grams": 100}
    values |= {"accepted_ms": wall_ms(), "deadline_ms": wall_ms() + 600_000, "epoch": of.epoch}
    return AcceptedOrder(**{**values, **fields}, shipping_address=ADDRESS)


def people(count: int) -> list[str]:
    """Users nobody else has."""
    return [f"u{n}-{uuid4().hex[:8]}" for n in range(count)]


def by_id(standings: Iterable[Standing]) -> dict[str, OrderState]:
    return {each.order_id: each.state for each in standings}


def serving_settings(mesh: Mesh) -> Settings:
    """Of role `serve` beside this mesh, whatever servers the environment gives to others."""
    place = {"port_base", "run_dir", "redis_url", "db_url", "kafka_bootstrap"}
    return Settings(drain_seconds=0, **mesh.settings.model_dump(include=place))


@asynccontextmanager
async def open_world(settings: ProcessSettings) -> AsyncIterator[World]:
    async with (
        database(settings.database, pool_size=10) as engine,
        redis_pool(settings.redis) as redis,
        publishing(settings.kafka, "test") as publisher,
    ):
        yield World(settings, engine, RedisStock(redis), publisher)
