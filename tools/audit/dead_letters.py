"""Dead letters of orders that have not ended: somebody must look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.order_ids import offer_of
from kernel.order_states import TERMINAL_STATES
from kernel.schema import orders
from meshkit.db.engine import database
from meshkit.db.errors import database_answers
from meshkit.errors import DependencyUnavailable
from meshkit.settings import ProcessSettings
from tools.audit.read_kafka import DEAD
from tools.audit.read_records import places_of, read_to_end, reader

_CHUNK = 500


@dataclass(frozen=True)
class Letter:
    """`state`: the row's, empty without one. `place`: topic/partition/offset of the dead letter itself."""

    key: str
    place: str
    error: str
    state: str

    @property
    def advice(self) -> str:
        if self.state:
            return f"its row is {self.state}: `peakmesh order resolve` tells payment again"
        return "it has no row, and its units stay held: `peakmesh order trace` shows what is known of it"


async def open_letters(settings: ProcessSettings) -> list[Letter]:
    """The last letter of each order that has no row, or one that has not ended. Keys that are no order_id are foreign
    bytes, which stand for no order of ours. Raises DependencyUnavailable."""
    try:
        last = await _last_letters(settings.kafka)
    except KafkaError as error:
        raise DependencyUnavailable("kafka", f"kafka: {error}") from error
    with database_answers():
        async with database(settings.database, pool_size=1) as engine, engine.connect() as connection:
            states = await _states(connection, sorted(last))
    found = [_letter(key, raw, states.get(key, "")) for key, raw in sorted(last.items())]
    return [letter for letter in found if letter.state not in TERMINAL_STATES]


async def _last_letters(bootstrap: str) -> dict[str, Any]:
    """Records by order_id."""
    last: dict[str, Any] = {}
    async with reader(bootstrap) as consumer:
        starts = await consumer.beginning_offsets(places_of(DEAD))
        async for raw in read_to_end(consumer, starts):
            key = (raw.key or b"").decode("utf-8", "replace")
            if _is_order(key):
                last[key] = raw
    return last


async def _states(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(keys), _CHUNK):
        part = orders.c.order_id.in_(keys[start : start + _CHUNK])
        for row in await connection.execute(select(orders.c.order_id, orders.c.state).where(part)):
            found[row.order_id] = row.state
    return found


def _letter(key: str, raw: Any, state: str) -> Letter:
    error = dict(raw.headers or ()).get("error", b"").decode("utf-8", "replace")
    return Letter(key, f"{raw.topic}/{raw.partition}/{raw.offset}", error, state)


def _is_order(key: str) -> bool:
    try:
        offer_of(key)
    except ValueError:
        return False
    return True
