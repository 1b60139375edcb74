"""One order's timeline, from every system's own records."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aiokafka.errors import KafkaError
from google.protobuf.message import DecodeError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from kernel.order_ids import offer_of
from meshkit.db.engine import database
from meshkit.errors import InvalidFields, PeakmeshError
from meshkit.redis_client import redis_pool
from meshkit.settings import ProcessSettings
from tools.audit.trace_books import read_books
from tools.audit.trace_event import Event
from tools.audit.trace_kafka import read_records
from tools.audit.trace_redis import read_reservation
from tools.audit.trace_rows import read_rows

FAILURES = (OSError, PeakmeshError, RedisError, SQLAlchemyError, KafkaError, DecodeError, sqlite3.Error, TimeoutError)


@dataclass(frozen=True)
class Trace:
    """`events` by time. `unread`: a source that could not be read, and why: what it knows is missing above."""

    order_id: str
    events: Sequence[Event]
    unread: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        events = [asdict(event) | {"time": event.time} for event in self.events]
        return {"order_id": self.order_id, "events": events, "unread": dict(self.unread)}


async def trace_order(settings: ProcessSettings, order_id: str) -> Trace:
    """Raises InvalidFields for what is no order_id of this mesh; an id that nobody knows has no events."""
    order_id = order_id.strip().lower()
    try:
        offer_of(order_id)
    except ValueError:
        raise InvalidFields([("order_id", "is not one that this mesh makes")]) from None
    reading = {
        "redis": _redis(settings, order_id),
        "kafka": read_records(settings.kafka, order_id),
        "sql": _sql(settings, order_id),
        "provider": _books(settings, order_id),
    }
    events: list[Event] = []
    unread: dict[str, str] = {}
    for source, work in reading.items():
        try:
            events += await work
        except FAILURES as error:
            unread[source] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return Trace(order_id, sorted(events, key=lambda event: event.at_ms), unread)


async def _redis(settings: ProcessSettings, order_id: str) -> list[Event]:
    async with redis_pool(settings.redis) as redis:
        return await read_reservation(redis, order_id)


async def _sql(settings: ProcessSettings, order_id: str) -> list[Event]:
    async with database(settings.database, pool_size=1) as engine:
        return await read_rows(engine, order_id)


async def _books(settings: ProcessSettings, order_id: str) -> list[Event]:
    return read_books(settings.run_dir / "providers" / "journal.sqlite", order_id)
