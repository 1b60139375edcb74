"""Import products, all or none."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.catalog_table import save_products
from governor.change_lock import ChangeLock
from governor.ops_journal import once
from governor.sale import Imported, Product
from kernel.ops_journal import OpsCall
from meshkit.db.engine import run_transaction


class ImportCatalog:
    """Offers that are open keep the price they were opened with."""

    def __init__(self, engine: AsyncEngine, lock: ChangeLock) -> None:
        self._engine, self._lock = engine, lock

    async def __call__(self, call: OpsCall, products: Sequence[Product]) -> Imported:
        """The first answer, on a repeat too. Raises RequestIdReused."""

        async def work(connection: AsyncConnection) -> bytes:
            return json.dumps(asdict(await save_products(connection, products, call.at_ms))).encode()

        async with self._lock.held():
            response = await run_transaction(self._engine, lambda connection: once(connection, call, work))
        return Imported(**json.loads(response))
