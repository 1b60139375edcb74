"""Records of one order: in its partition of each topic, from a minute before it was made."""

from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from google.protobuf.message import DecodeError

from kernel.order_ids import made_ms
from kernel.topics import ORDERS_CREATED, ORDERS_INTAKE, PAYMENTS_RESULTS, TOPICS
from peakmesh.event.v1.events_pb2 import OrderCreated, OrderIntake, PaymentOutcome, PaymentResult
from tools.audit.read_records import read_to_end, reader
from tools.audit.trace_event import Event

# Checkout's clock, which is in the order_id, and the broker's may differ.
MARGIN_MS = 60_000


async def read_records(bootstrap: str, order_id: str) -> list[Event]:
    """Raises KafkaError."""
    key = order_id.encode()
    async with reader(bootstrap) as consumer:
        starts = await _starts(consumer, key, made_ms(order_id) - MARGIN_MS)
        return [event_of(raw) async for raw in read_to_end(consumer, starts) if raw.key == key]


async def _starts(consumer: AIOKafkaConsumer, key: bytes, since_ms: int) -> dict[TopicPartition, int]:
    numbers = {spec.name: list(range(spec.partitions)) for spec in TOPICS}
    partitioner = DefaultPartitioner()
    mine = [TopicPartition(topic, partitioner(key, all_of, all_of)) for topic, all_of in numbers.items()]
    found = await consumer.offsets_for_times(dict.fromkeys(mine, since_ms))
    # None: nothing was written since.
    return {place: at.offset for place, at in found.items() if at is not None}


def event_of(raw: Any) -> Event:
    headers = {name: value.decode("utf-8", "replace") for name, value in raw.headers or ()}
    moved = [f"{name} {headers[name]}" for name in ("origin", "attempt", "error") if name in headers]
    place = f"partition {raw.partition} offset {raw.offset}"
    return Event(raw.timestamp, raw.topic, _what(raw), "; ".join([place, *moved]))


def _what(raw: Any) -> str:
    for topic, said in _SAID.items():
        if raw.topic == topic or raw.topic.startswith(f"{topic}."):
            try:
                return said(raw.value or b"")
            except DecodeError:
                return "bytes that do not decode"
    return "a record"


def _intake(value: bytes) -> str:
    intake = OrderIntake.FromString(value)
    kind = intake.WhichOneof("body") or "empty"
    return f"cancelled: {intake.cancelled.reason}" if kind == "cancelled" else kind


def _created(value: bytes) -> str:
    order = OrderCreated.FromString(value).order
    return f"told to payment: {order.quantity} x {order.unit_price_minor} - {order.discount_minor} {order.currency}"


def _result(value: bytes) -> str:
    result = PaymentResult.FromString(value)
    name = PaymentOutcome.Name(result.outcome).removeprefix("PAYMENT_OUTCOME_")
    return f"{name} {result.amount_minor} {result.currency} {result.reason}".rstrip()


_SAID: dict[str, Callable[[bytes], str]] = {
    ORDERS_INTAKE: _intake,
    ORDERS_CREATED: _created,
    PAYMENTS_RESULTS: _result,
}
