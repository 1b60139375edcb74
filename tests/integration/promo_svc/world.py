"""Around a promo_svc on real Redis, MariaDB and Kafka: vouchers of the test's own, rows, results."""

import itertools
import json
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.payment_steps import REFUND, STARTED, key_of
from kernel.schema import orders, payment_step
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.results import ReserveKind, ReserveRequest
from kernel.topics import PARTITIONS, PAYMENTS_RESULTS, PROMO_SVC
from kernel.vouchers import keys
from kernel.vouchers.records import Counters, HoldState, read_counters, read_hold
from meshkit.clock import wall_ms
from meshkit.db.engine import database
from meshkit.identity import Role, TokenIssuer
from meshkit.kafka.publisher import Publisher, publishing
from meshkit.money import from_minor
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import call, channel
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from promo_svc.app import running
from promo_svc.settings import Settings
from tests.polling import eventually
from tools.devstack.spec import Mesh

WINDOW = {"valid_from": "2020-01-01T00:00:00Z", "valid_until": "2100-01-01T00:00:00Z"}
OUTCOMES = {name: PaymentOutcome.Value(f"PAYMENT_OUTCOME_{name}") for name in ("PAID", "SETTLED", "FAILED", "REFUNDED")}
_numbers = itertools.count(random.randint(1, 1 << 23))


@dataclass
class World:
    mesh: Mesh
    folder: Path
    engine: AsyncEngine
    redis: Any
    stock: RedisStock
    publisher: Publisher
    issuer: TokenIssuer
    offer_no: int = field(default_factory=lambda: next(_numbers))
    vouchers: list[dict[str, Any]] = field(default_factory=list)
    stub: Any = None

    def voucher(self, **fields: Any) -> str:
        """A new one of 10 per cent; returns its code."""
        code = f"T-{uuid.uuid4().hex[:10]}"
        self.vouchers.append({"code": code, "percent_basis_points": 1_000, **WINDOW, **fields})
        return code

    @asynccontextmanager
    async def promotions(self, **settings: Any) -> AsyncIterator[int]:
        """promo_svc with the vouchers made so far, all of them open; yields its port."""
        file = self.folder / "vouchers.json"
        file.write_text(json.dumps({"vouchers": self.vouchers}))
        place: dict[str, Any] = {"port_base": self.mesh.port_base, "run_dir": self.mesh.run_dir, "drain_seconds": 0}
        # A busy test machine is not what these tests are about.
        fast: dict[str, Any] = {"promo_upkeep_seconds": 0.1, "promo_redis_ms": 2_000}
        async with (
            running(Settings(**place, **{**fast, **settings}, promo_vouchers=file)) as port,
            channel(f"127.0.0.1:{port}") as wire,
        ):
            self.stub = rpc.PromotionServiceStub(wire)
            for voucher in self.vouchers:
                await eventually(lambda code=voucher["code"]: self._is_open(code))  # type: ignore[misc]
            yield port

    async def _is_open(self, code: str) -> bool:
        limited = next(each for each in self.vouchers if each["code"] == code).keys() & {
            "budget_minor",
            "budget_grants",
            "uses_per_user",
        }
        return not limited or await self.redis.hget(keys.counters(code), "open") == b"1"

    def order_id(self) -> str:
        return new_order_id(self.offer_no, 0)

    async def quote(
        self, code: str, user: str = "ana", order_id: str = "", **changes: Any
    ) -> pb.QuotePromotionResponse:
        """Of one unit at 10.00 EUR."""
        fields: dict[str, Any] = {"sku": "sku-1", "quantity": 1, "unit_price": from_minor(1_000, "EUR")}
        order_id = order_id or self.order_id()
        request = pb.QuotePromotionRequest(voucher_code=code, user_id=user, order_id=order_id, **{**fields, **changes})
        answer = await call(self.stub.QuotePromotion, request, timeout=10, dependency="promo")
        assert isinstance(answer, pb.QuotePromotionResponse)
        return answer

    async def list(self, user: str, **fields: Any) -> pb.ListVouchersResponse:
        metadata = (("authorization", f"Bearer {self.issuer.issue(user, Role.BUYER)}"),)
        request = pb.ListVouchersRequest(**fields)
        answer = await call(self.stub.ListVouchers, request, timeout=5, dependency="promo", metadata=metadata)
        assert isinstance(answer, pb.ListVouchersResponse)
        return answer

    async def write(self, state: str, order_ids: Sequence[str], code: str, minor: int = 100, user: str = "ana") -> None:
        """Rows as order_worker would have them."""
        now = wall_ms()
        row = {"offer_no": self.offer_no, "sale_id": "sale", "sku": "sku-1", "user_id": user, "request_hash": "ab"}
        row |= {"quantity": 1, "unit_price_minor": 1_000, "price_version": 1, "currency": "EUR", "epoch": 1}
        row |= {"discount_minor": minor if code else 0, "voucher_code": code, "unit_weight_grams": 1, "address": "{}"}
        row |= {"state": state, "accepted_ms": now, "created_ms": now, "updated_ms": now, "deadline_ms": now}
        async with self.engine.begin() as connection:
            await connection.execute(insert(orders), [{**row, "order_id": each} for each in order_ids])

    async def move(self, state: str, order_ids: Sequence[str]) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(update(orders).where(orders.c.order_id.in_(order_ids)).values(state=state))

    async def refund(self, order_ids: Sequence[str]) -> None:
        """As a cancel begins it, before its REFUNDED is told."""
        now = wall_ms()
        step = {"step": REFUND, "state": STARTED, "currency": "EUR", "amount_minor": 900, "reason": "cancelled"}
        step |= {"deadline_ms": now, "created_ms": now, "updated_ms": now}
        rows = [{**step, "order_id": each, "idempotency_key": key_of(each, REFUND)} for each in order_ids]
        async with self.engine.begin() as connection:
            await connection.execute(insert(payment_step), rows)

    async def tell(self, outcome: str, order_ids: Sequence[str]) -> None:
        """As payment_worker tells it."""
        results = [PaymentResult(order_id=each, outcome=OUTCOMES[outcome], at_ms=wall_ms()) for each in order_ids]
        records: list[tuple[str, bytes, list[tuple[str, bytes]]]] = [
            (each.order_id, each.SerializeToString(), []) for each in results
        ]
        await self.publisher.publish_all(PAYMENTS_RESULTS, records)

    async def reserve(self, order_id: str) -> None:
        """A unit of this world's offer."""
        opened = Offer(self.offer_no, "sale", "sku-1", 1_000, "EUR", 1, 1, 1, 1, 9)
        await self.stock.open_offer(opened, 9, 0, 0)
        request = ReserveRequest(order_id, "ana", str(uuid.uuid4()), "ab", 1, 1, b"e", 60_000)
        [result] = await self.stock.reserve(self.offer_no, 0, 1, [request])
        assert result.kind is ReserveKind.RESERVED

    async def counters(self, code: str) -> Counters:
        return read_counters(await self.redis.hgetall(keys.counters(code)))

    async def grants(self, code: str) -> tuple[int, int]:
        """(held, committed), checked against the grants themselves."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(keys.counters(code))
            pipe.hgetall(keys.holds(code))
            raw, holds = await pipe.execute()
        counters, found = read_counters(raw), [read_hold(each) for each in holds.values()]
        held = sum(each.amount_minor for each in found if each.state is HoldState.HELD)
        committed = sum(each.amount_minor for each in found if each.state is HoldState.COMMITTED)
        assert (counters.held_minor, counters.committed_minor) == (held, committed)
        return counters.held_grants, counters.committed_grants

    async def becomes(self, code: str, held: int, committed: int, within: float = 20) -> None:
        seen: list[tuple[int, int]] = []

        async def check() -> bool:
            seen[:] = [await self.grants(code)]
            return seen[0] == (held, committed)

        try:
            await eventually(check, within=within)
        except AssertionError:
            raise AssertionError(f"(held, committed) is {seen}, not {(held, committed)}") from None

    async def everything_is_read(self) -> None:
        """Until promo_svc has committed each result that was told."""
        client = AIOKafkaConsumer(bootstrap_servers=self.mesh.settings.kafka, group_id=PROMO_SVC)
        places = [TopicPartition(PAYMENTS_RESULTS, number) for number in range(PARTITIONS)]
        await client.start()
        try:
            client.assign(places)
            ends = await client.end_offsets(places)

            async def read() -> bool:
                return all([(await client.committed(place) or 0) >= ends[place] for place in places if ends[place]])

            await eventually(read)
        finally:
            await client.stop()

    async def forget(self, code: str) -> None:
        """As a Redis that has lost the voucher."""
        await self.redis.delete(*keys.all_of(code))


@asynccontextmanager
async def open_world(mesh: Mesh, folder: Path) -> AsyncIterator[World]:
    settings = mesh.settings
    async with (
        database(settings.database) as engine,
        redis_pool(settings.redis) as redis,
        publishing(settings.kafka, "test") as publisher,
    ):
        world = World(mesh, folder, engine, redis, RedisStock(redis), publisher, TokenIssuer(settings.identity_dir))
        yield world
        await _clean(world, redis)


async def _clean(world: World, redis: Redis) -> None:
    """No other test's audit should meet these."""
    for voucher in world.vouchers:
        await world.forget(voucher["code"])
        await redis.srem(keys.REGISTRY, voucher["code"])
    mine = select(orders.c.order_id).where(orders.c.offer_no == world.offer_no)
    async with world.engine.begin() as connection:
        await connection.execute(delete(payment_step).where(payment_step.c.order_id.in_(mine)))
        await connection.execute(delete(orders).where(orders.c.offer_no == world.offer_no))
