"""Do the one safe thing for an order that needs a person, and journal it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

from aiokafka.errors import KafkaError
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.ops_journal import OpsCall, find_answer, record_answer
from kernel.order_states import TERMINAL_STATES, OrderState
from kernel.payment_steps import STARTED, STUCK, TAKING_BACK
from kernel.schema import orders, payment_step
from meshkit.crash import crash_point
from meshkit.db.errors import database_answers
from meshkit.errors import DependencyUnavailable, IllegalState, OrderNotFound
from meshkit.kafka.publisher import Publisher
from order_worker.follow_ups import publish_created
from order_worker.order_rows import to_message
from order_worker.stuck import Resolution, resolution_of
from order_worker.transactions import transact
from peakmesh.event.v1.events_pb2 import AcceptedOrder

METHOD = "ResolveOrder"
Publishing = Callable[[], AbstractAsyncContextManager[Publisher]]


@dataclass(frozen=True, slots=True)
class Resolved:
    """`state`: the row's when it was done."""

    order_id: str
    resolution: Resolution
    state: OrderState
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How what was done becomes the recorded answer, and back."""

    encode: Callable[[Resolved], bytes]
    decode: Callable[[bytes], Resolved]


class ResolveOrder:
    """`publishing` opens a publisher for one call: operators resolve a few orders a day, and reads of orders must live
    without Kafka."""

    def __init__(self, engine: AsyncEngine, publishing: Publishing, answer: Answer) -> None:
        self._engine, self._publishing, self._answer = engine, publishing, answer

    async def __call__(self, call: OpsCall, order_id: str, reason: str) -> Resolved:
        """The first answer, on a repeat too. Raises OrderNotFound, IllegalState, RequestIdReused and
        DependencyUnavailable (journalled perhaps: repeat)."""
        with database_answers():
            resolved, order = await transact(self._engine, partial(self._decide, call, order_id, reason))
        crash_point("after_resolve_row")
        if resolved.resolution is Resolution.SENT_AGAIN and order is not None:
            await self._send(order)
        return resolved

    async def _decide(
        self, call: OpsCall, order_id: str, reason: str, connection: AsyncConnection, _attempt: int
    ) -> tuple[Resolved, AcceptedOrder | None]:
        """The order is there while it has not ended: it is sent on a repeat as well, since the first may have died
        between its commit and Kafka's ack."""
        known = await find_answer(connection, call)
        # Locked: expiry and results move the row before or after this decision, never in the middle of it.
        query = select(orders).where(orders.c.order_id == order_id).with_for_update()
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise OrderNotFound("this order has no row")
        state = OrderState(row["state"])
        open_order = None if state in TERMINAL_STATES else to_message(dict(row))
        if known is not None:
            return self._answer.decode(known), open_order
        resolution = resolution_of(state, await _stuck_steps(connection, order_id))
        if resolution is None:
            raise IllegalState(f"the order is {state}, which needs nobody", metadata={"state": state.value})
        if resolution is Resolution.REFUND_AGAIN:
            await _take_back_again(connection, order_id, call.at_ms)
        resolved = Resolved(order_id, resolution, state, reason)
        await record_answer(connection, call, self._answer.encode(resolved))
        return resolved, open_order

    async def _send(self, order: AcceptedOrder) -> None:
        try:
            async with self._publishing() as publisher:
                await publish_created(publisher, [(order, {})], "resolved")
        except (KafkaError, OSError) as error:
            raise DependencyUnavailable("kafka", f"kafka: {error!r}") from error


async def _stuck_steps(connection: AsyncConnection, order_id: str) -> set[str]:
    step = payment_step.c
    query = select(step.step).where(step.order_id == order_id, step.state == STUCK)
    return set(await connection.scalars(query))


async def _take_back_again(connection: AsyncConnection, order_id: str, now_ms: int) -> None:
    """STUCK -> STARTED, by compare-and-set; payment_worker's sweeper looks for STARTED ones alone."""
    step = payment_step.c
    mine = (step.order_id == order_id, step.step.in_(TAKING_BACK), step.state == STUCK)
    await connection.execute(update(payment_step).where(*mine).values(state=STARTED, reason="", updated_ms=now_ms))
