"""Import products, all or none."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.catalog_table import save_products
from governor.change_lock import ChangeLock
from governor.ops_journal import once
from governor.publish_catalog import PublishCatalog
from governor.sale import Imported, Product
from kernel.ops_journal import OpsCall
from meshkit.crash import crash_point


class ImportCatalog:
    """Offers that are open keep the price they were opened with."""

    def __init__(self, engine: AsyncEngine, lock: ChangeLock, publish: PublishCatalog) -> None:
        self._engine, self._lock, self._publish = engine, lock, publish

    async def __call__(self, call: OpsCall, products: Sequence[Product]) -> Imported:
        """The first answer, on a repeat too, which publishes what a crash left unpublished.

        Raises RequestIdReused, DependencyUnavailable (the products may be imported then: repeat).
        """

        async def work(connection: AsyncConnection) -> bytes:
            return json.dumps(asdict(await save_products(connection, products, call.at_ms))).encode()

        async with self._lock.held():
            response = await once(self._engine, call, work)
            crash_point("after_catalog_rows")
            await self._publish()
        return Imported(**json.loads(response))
