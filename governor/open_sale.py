"""Open a sale: SQL first, then the counters in Redis, the registry last."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.catalog_table import find_products
from governor.change_lock import ChangeLock
from governor.ops_journal import once
from governor.sale import NewSale, Sale
from governor.sales_table import insert_sale, read_sale
from governor.settle_sale import SettleSale
from kernel.ops_journal import OpsCall
from meshkit.crash import crash_point
from meshkit.errors import ProductNotFound


@dataclass(frozen=True, slots=True)
class Answer:
    """How a new sale becomes the recorded answer, and which sale a recorded answer is of."""

    encode: Callable[[Sale, int], bytes]
    sale_id_of: Callable[[bytes], str]


class OpenSale:
    def __init__(self, engine: AsyncEngine, lock: ChangeLock, settle: SettleSale, answer: Answer) -> None:
        self._engine, self._lock, self._settle, self._answer = engine, lock, settle, answer

    async def __call__(self, call: OpsCall, new: NewSale) -> bytes:
        """The first answer, on a repeat too, which finishes what a crash left undone.

        Raises ProductNotFound, RequestIdReused, DependencyUnavailable (the sale may exist then: repeat).
        """

        async def work(connection: AsyncConnection) -> bytes:
            sale_id = new_sale_id(call.at_ms)
            await _insert(connection, sale_id, new, call.at_ms)
            return self._answer.encode(await read_sale(connection, sale_id), call.at_ms)

        async with self._lock.held():
            response = await once(self._engine, call, work)
            crash_point("after_sale_row")
            await self._settle(self._answer.sale_id_of(response))
        return response


async def _insert(connection: AsyncConnection, sale_id: str, new: NewSale, now_ms: int) -> None:
    known = await find_products(connection, [spec.sku for spec in new.offers])
    unknown = [spec.sku for spec in new.offers if spec.sku not in known]
    if unknown:
        raise ProductNotFound(f"not in the catalogue: {', '.join(unknown)}", metadata={"sku": ",".join(unknown)})
    await insert_sale(connection, sale_id, new, [(spec, *known[spec.sku]) for spec in new.offers], now_ms)


def new_sale_id(now_ms: int) -> str:
    """Sorts by time and can be read aloud: sale-20261123-091530-7f3a21."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"sale-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
