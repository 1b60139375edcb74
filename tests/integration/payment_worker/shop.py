"""Around payment_worker: publishes OrderCreated, reads what came of it in Kafka, SQL and the wallet's journal."""

import asyncio
import os
import sqlite3
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.schema import payment_step
from kernel.topics import ORDERS_CREATED, PAYMENTS_RESULTS
from meshkit.clock import wall_ms
from meshkit.db.engine import database
from meshkit.kafka.consumer import Consumer, consuming
from meshkit.kafka.publisher import Publisher, publishing
from payment_worker.settings import Settings
from peakmesh.event.v1 import events_pb2 as events
from peakmesh.order.v1 import order_pb2
from tests.polling import eventually
from tools.devstack.spec import ROOT, Mesh
from tools.providers.knobs import AllKnobs, Knobs, write_knobs
from tools.providers.settings import Settings as SandboxSettings

ADDRESS = order_pb2.ShippingAddress(
    recipient="Ada", street="1 High Street", city="Berlin", postal_code="10115", country_code="DE"
)
PRICE = 10_000


@dataclass
class Shop:
    """Everything here works on orders of this test alone: their ids are made by `place`."""

    mesh: Mesh
    engine: AsyncEngine
    publisher: Publisher
    results: Consumer
    told: dict[str, list[str]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(
            run_dir=self.mesh.run_dir,
            port_base=self.mesh.port_base,
            providers_target=f"127.0.0.1:{self.mesh.ports['providers']}",
            payment_worker_call_deadline=0.5,
            payment_worker_refund_every=0.1,
        )

    def turn(self, wallet: Knobs) -> None:
        knobs = SandboxSettings(run_dir=self.mesh.run_dir, port_base=self.mesh.port_base).knobs
        write_knobs(knobs, AllKnobs(wallet=wallet))

    async def place(self, count: int, *, goods: int = PRICE) -> list[str]:
        """Publishes `count` orders, each of its own buyer; returns their ids."""
        ids = new_ids(count)
        await self.republish(ids, goods=goods)
        return ids

    async def republish(self, ids: list[str], *, goods: int = PRICE) -> None:
        records = [(order_id, created(order_id, goods).SerializeToString(), ()) for order_id in ids]
        await self.publisher.publish_all(ORDERS_CREATED, records)

    async def until(self, ids: list[str], outcome: str, within: float = 30.0) -> None:
        """Returns once `outcome` was told of every order."""

        async def all_told() -> bool:
            for record in await self.results.poll(0.05):
                if len(record.key) != len(str(uuid.UUID(int=0))):
                    continue  # no order's: what other tests sent stays in the topic of a stack that is used again
                result = events.PaymentResult.FromString(record.value)
                name = events.PaymentOutcome.Name(result.outcome).removeprefix("PAYMENT_OUTCOME_")
                self.told.setdefault(result.order_id, []).append(name)
            return all(outcome in self.told.get(order_id, ()) for order_id in ids)

        await eventually(all_told, within=within)

    async def states(self, order_id: str) -> dict[str, str]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(
                select(payment_step.c.step, payment_step.c.state).where(payment_step.c.order_id == order_id)
            )
            return {row.step: row.state for row in rows.all()}

    async def insert_step(self, order_id: str, step: str, state: str, amount_minor: int = 0) -> None:
        """What order_worker inserts: (debit, BARRED) or (refund, STARTED)."""
        row = {
            "order_id": order_id,
            "step": step,
            "idempotency_key": f"{order_id}:{step}",
            "state": state,
            "amount_minor": amount_minor,
            "currency": "EUR",
            "deadline_ms": wall_ms(),
            "created_ms": wall_ms(),
            "updated_ms": wall_ms(),
        }
        async with self.engine.begin() as connection:
            await connection.execute(insert(payment_step), [row])

    def charges(self, ids: list[str]) -> dict[str, int]:
        """Minor units each buyer is out of pocket, from the sandbox's own entries."""
        journal = SandboxSettings(run_dir=self.mesh.run_dir, port_base=self.mesh.port_base).journal
        query = (
            "SELECT -sum(amount_minor) FROM entries JOIN transfers USING (transfer_id)"
            " WHERE account = ? AND kind IN ('debit', 'refund', 'void')"
        )
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as db:
            return {each: db.execute(query, (f"user:{buyer(each)}",)).fetchone()[0] or 0 for each in ids}

    def debits(self, order_id: str) -> int:
        """Transfers that took money for the order."""
        journal = SandboxSettings(run_dir=self.mesh.run_dir, port_base=self.mesh.port_base).journal
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as db:
            query = "SELECT count(*) FROM transfers WHERE kind = 'debit' AND key = ?"
            return int(db.execute(query, (f"{order_id}:debit",)).fetchone()[0])

    def worker_environment(self, crash_at: str = "") -> dict[str, str]:
        path = os.pathsep.join([str(ROOT), str(ROOT / "generated" / "python")])
        return os.environ | {
            "PYTHONPATH": path,
            "PEAKMESH_RUN_DIR": str(self.mesh.run_dir),
            "PEAKMESH_PORT_BASE": str(self.mesh.port_base),
            "PEAKMESH_PROVIDERS_TARGET": self.settings.providers,
            "PEAKMESH_CRASH_AT": crash_at,
        }

    @asynccontextmanager
    async def worker_process(self, crash_at: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "payment_worker", env=self.worker_environment(crash_at)
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.wait(), 15)


def new_ids(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def buyer(order_id: str) -> str:
    return f"buyer-{order_id}"


def created(order_id: str, goods: int) -> events.OrderCreated:
    return events.OrderCreated(
        order=events.AcceptedOrder(
            order_id=order_id,
            user_id=buyer(order_id),
            quantity=1,
            unit_price_minor=goods,
            currency="EUR",
            unit_weight_grams=500,
            shipping_address=ADDRESS,
        )
    )


@asynccontextmanager
async def shop_at(mesh: Mesh) -> AsyncIterator[Shop]:
    settings = mesh.settings
    async with (
        database(settings.database, pool_size=2) as engine,
        publishing(settings.kafka, "shop") as publisher,
        consuming(settings.kafka, [PAYMENTS_RESULTS], f"shop-{uuid.uuid4()}") as results,
    ):
        yield Shop(mesh, engine, publisher, results)
