"""Bring Redis' copy of the catalogue to what SQL decided: what changed since, or all of it where Redis lost it."""

import secrets

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from governor.catalog_table import adopt_products, catalog_version, changed_products, has_unversioned
from kernel.catalog import PART, Edition, publish_edition, publish_part, unpublish, whole_edition
from meshkit.crash import crash_point
from meshkit.db.engine import run_transaction
from meshkit.db.errors import database_answers
from meshkit.redis_client import answered

_PAST_ALL = 2**31 - 1  # no product_no is above it: what comes next is of a later version


class PublishCatalog:
    """To be called under the ChangeLock; repeatable at any point, since the edition is written last."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        self._engine, self._redis = engine, redis

    async def __call__(self) -> int | None:
        """The number of products sent, None where Redis had it all. Raises DependencyUnavailable.

        What an older build wrote, while a release rolls out or back, gets its version first.
        """
        with database_answers():
            while await run_transaction(self._engine, adopt_products):
                pass
        version, edition = await self._version(), await self._edition()
        if edition is not None and edition.version == version:
            return None
        if edition is None or edition.version > version:
            # Redis lost keys, or follows a database that is not this one.
            await answered(unpublish(self._redis))
            edition = Edition(secrets.token_hex(8), 0)
        sent = await self._send(edition.version, version)
        crash_point("after_catalog_products")
        await answered(publish_edition(self._redis, Edition(edition.copy, version)))
        return sent

    async def behind(self) -> bool:
        """Whether there is something to publish; needs no lock."""
        version, edition = await self._version(), await self._edition()
        return edition is None or edition.version != version or await self._unversioned()

    async def _edition(self) -> Edition | None:
        return await answered(whole_edition(self._redis))

    async def _version(self) -> int:
        with database_answers():
            async with self._engine.connect() as connection:
                return await catalog_version(connection)

    async def _unversioned(self) -> bool:
        with database_answers():
            async with self._engine.connect() as connection:
                return await has_unversioned(connection)

    async def _send(self, after: int, upto: int) -> int:
        sent, last_no = 0, _PAST_ALL
        while True:
            with database_answers():
                async with self._engine.connect() as connection:
                    part = await changed_products(connection, after, last_no, upto, PART)
            if not part:
                return sent
            await answered(publish_part(self._redis, part))
            sent += len(part)
            product, after = part[-1]
            last_no = product.product_no
