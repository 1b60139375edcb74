"""A Redis that loses its stock, or comes back older than it was, and the operator who rebuilds it."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from kernel.offers import Offer, load_offers
from kernel.order_ids import new_order_id
from kernel.stock.results import ReserveKind, ReserveRequest, ReserveResult
from meshkit.clock import wall_ms
from meshkit.errors import PeakmeshError
from order_worker.apply_standings import apply_standings
from order_worker.standing import Standing
from order_worker.write_results import write_results
from peakmesh.event.v1.events_pb2 import AcceptedOrder, PaymentOutcome, PaymentResult
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.governor.operators import Desk, opening
from tests.integration.order_worker.race import buyer, cancelling
from tests.integration.order_worker.world import World, accepted, people
from tests.polling import eventually
from tools import devstack
from tools.audit.report import Verdict
from tools.audit.run import run_audit
from tools.devstack.spec import Mesh

PAID, SETTLED = PaymentOutcome.PAYMENT_OUTCOME_PAID, PaymentOutcome.PAYMENT_OUTCOME_SETTLED
FAILED, REFUNDED = PaymentOutcome.PAYMENT_OUTCOME_FAILED, PaymentOutcome.PAYMENT_OUTCOME_REFUNDED
# What each order of `every_state` becomes, with the results that bring it there.
ENDS: Mapping[str, Sequence["PaymentOutcome.ValueType"]] = {
    "CREATED": (),
    "PAID": (PAID,),
    "TO_SHIP": (PAID, SETTLED),
    "PAYMENT_FAILED": (FAILED,),
    "REFUNDED": (PAID, SETTLED, REFUNDED),
    "EXPIRED": (),
    "CANCELLED": (),
}
# What can be told here; the others need payment_worker, the providers' journal or the clients' history.
INVARIANTS = ("I1", "I2", "I3", "I5", "I9", "I10")


@dataclass(frozen=True)
class Loss:
    mesh: Mesh
    world: World
    desk: Desk

    async def open(self, units: int, limit: int = 9) -> Offer:
        [sku] = await self.desk.new_skus()
        sale = (await self.desk.ask("OpenSale", opening(sku, units, limit))).sale
        return await self.offer(sale.sale_id, sku)

    async def offer(self, sale_id: str, sku: str) -> Offer:
        """As the registry has it now, with its epoch."""
        found: list[Offer] = []

        async def published() -> bool:
            found[:] = [each for key, each in (await load_offers(self.desk.redis)).items() if key == (sale_id, sku)]
            return bool(found)

        await eventually(published)
        return found[0]

    async def reserve(self, of: Offer, order: AcceptedOrder) -> ReserveResult:
        """As checkout would, with the offer as it knows it."""
        request = ReserveRequest(
            order_id=order.order_id,
            user_id=order.user_id,
            request_id=order.request_id,
            request_hash=order.request_hash,
            quantity=order.quantity,
            price_version=of.price_version,
            event=b"e",
            deadline_after_ms=600_000,
        )
        [result] = await self.desk.stock.reserve(of.offer_no, 0, of.epoch, [request])
        return result

    async def accept(self, of: Offer, users: Sequence[str], quantity: int = 1) -> list[AcceptedOrder]:
        """Reserved, acknowledged by Kafka, and out of the outbox: the buyers were told QUEUED."""
        placed = [accepted(of, user, quantity) for user in users]
        results = [await self.reserve(of, order) for order in placed]
        assert {each.kind for each in results} == {ReserveKind.RESERVED}
        await self.world.send(placed)
        await self.desk.stock.outbox_delete(of.offer_no, 0, of.epoch, [each.entry_id for each in results])
        return placed

    async def cancelled_unasked(self, of: Offer, *, after_its_row: bool = False) -> AcceptedOrder:
        """Told PENDING, and asked about by nobody: what checkout's relay does then, and order_worker after it.
        `after_its_row`: Kafka had the order all the same."""
        [user] = people(1)
        order = accepted(of, user)
        reserved = await self.reserve(of, order)
        if after_its_row:
            await self.world.send([order])
            await self.written([order])
        await self.desk.stock.mark_pending(of.epoch, order.order_id)
        assert await self.desk.stock.start_cancel(of.epoch, order.order_id, 0)
        await self.world.send([order], cancelled=True)
        await self.desk.stock.outbox_delete(of.offer_no, 0, of.epoch, [reserved.entry_id])

        async def over() -> bool:
            states = await self.world.states([order]), await self.world.reservations([order])
            return states == (["CANCELLED"], "X")

        await eventually(over, within=20)
        return order

    async def written(self, placed: Sequence[AcceptedOrder]) -> None:
        async def check() -> bool:
            return None not in await self.world.states(placed)

        await eventually(check, within=20)

    async def every_state(self, of: Offer) -> dict[str, AcceptedOrder]:
        """An order of one unit in each state, by the state."""
        placed = dict(zip(ENDS, await self.accept(of, people(len(ENDS))), strict=True))
        await self.written(list(placed.values()))
        for end, outcomes in ENDS.items():
            await self.world.send_results(
                PaymentResult(order_id=placed[end].order_id, outcome=each, amount_minor=1, currency="EUR")
                for each in outcomes
            )
        await self.world.age([placed["EXPIRED"]], deadline_ms=1)
        cancelled = placed["CANCELLED"]
        await cancelling(self.world)(cancelled.order_id, buyer(cancelled), "")

        async def ended() -> bool:
            return await self.world.states(placed.values()) == list(ENDS)

        await eventually(ended, within=20)
        return placed

    async def results(self, told: Sequence[tuple[AcceptedOrder, "PaymentOutcome.ValueType"]]) -> list[Standing]:
        """As order_worker does them, at once: the rows moved, then their effects in Redis."""
        results = [
            PaymentResult(order_id=order.order_id, outcome=outcome, amount_minor=1, currency="EUR")
            for order, outcome in told
        ]
        standings = await write_results(self.world.engine, results, wall_ms())
        await apply_standings(self.world.stock, standings)
        return standings

    async def lose_redis(self) -> None:
        """kill -9, and its files are gone."""
        await asyncio.to_thread(devstack.stop_process, "redis", self.mesh, kill=True)
        shutil.rmtree(self.mesh.run_dir / "redis" / "appendonlydir")
        await self._start_redis()

    async def empty_redis(self) -> None:
        """By a wrong command. The supervisor takes a fifth kill in a row for a server that cannot live."""
        await self.desk.redis.flushall()

    async def copy_redis(self) -> None:
        """What a replica has that gets nothing more from now on."""
        await asyncio.to_thread(devstack.stop_process, "redis", self.mesh)
        folder = self.mesh.run_dir / "redis"
        shutil.rmtree(folder / "older", ignore_errors=True)
        shutil.copytree(folder / "appendonlydir", folder / "older")
        await self._start_redis()

    async def promote_copy(self) -> None:
        await asyncio.to_thread(devstack.stop_process, "redis", self.mesh, kill=True)
        folder = self.mesh.run_dir / "redis"
        shutil.rmtree(folder / "appendonlydir")
        (folder / "older").rename(folder / "appendonlydir")
        await self._start_redis()

    async def _start_redis(self) -> None:
        await asyncio.to_thread(devstack.start_process, "redis", self.mesh)
        await eventually(self._answers)

    async def _answers(self) -> bool:
        try:
            return bool(await self.desk.stock.counters(0, 0) is None)
        except PeakmeshError:
            return False

    async def rebuild(self, sale_id: str = "", request: pb.RebuildStockRequest | None = None) -> list[str]:
        """Repeats the call until it is done; returns the phases seen."""
        asked = request or rebuilding(sale_id)
        phases: list[str] = []

        async def done() -> bool:
            answer = await self.desk.ask("RebuildStock", asked)
            phases.append(pb.RebuildPhase.Name(answer.phase).removeprefix("REBUILD_PHASE_"))
            return phases[-1] == "DONE"

        await eventually(done, within=30)
        return phases

    async def stands(self, of: Offer) -> tuple[int, int, int]:
        """(available, reserved, sold) in Redis, after checking that the database counts the same."""
        counters = await self.desk.stock.counters(of.offer_no, 0)
        assert counters is not None
        assert await self.world.counters(of) == (counters.reserved, counters.sold)
        return counters.available, counters.reserved, counters.sold

    async def assert_holds(self, of: Offer) -> None:
        """The audit of the sale, once the lag is committed."""
        told: list[str] = []

        async def holds() -> bool:
            report = await run_audit(self.world.settings, of.sale_id)
            lines = [line for line in report.lines if line.invariant in INVARIANTS]
            told[:] = [f"{line.invariant} {line.verdict}: {line.detail}" for line in lines]
            return all(line.verdict is Verdict.HOLDS for line in lines)

        try:
            await eventually(holds, every=0.5)
        except AssertionError:
            raise AssertionError("\n".join(told)) from None


def rebuilding(sale_id: str = "") -> pb.RebuildStockRequest:
    return pb.RebuildStockRequest(
        request_id=str(uuid4()), sale_id=sale_id, all_sales=not sale_id, reason="Redis lost its disk"
    )


def again(order: AcceptedOrder) -> AcceptedOrder:
    """The retry of a client that did not see its answer: everything the same, under an order_id of its own."""
    retry = AcceptedOrder()
    retry.CopyFrom(order)
    retry.order_id = new_order_id(order.offer_no, 0)
    return retry
