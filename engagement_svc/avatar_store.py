"""Table `avatar`: one picture a user, and the request that brought it."""

import asyncio
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.schema import avatar
from meshkit.db.engine import run_transaction
from meshkit.db.errors import database_answers
from meshkit.errors import RequestIdReused

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Avatar:
    user_id: str
    image: bytes
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Update:
    """`request_hash` over the picture that was sent."""

    user_id: str
    request_id: str
    request_hash: str
    image: bytes
    at_ms: int


class Avatars:
    """Every method raises DependencyUnavailable; after `replace` the outcome is unknown then: repeat it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, user_id: str) -> Avatar | None:
        query = select(avatar.c.image, avatar.c.updated_ms).where(avatar.c.user_id == user_id)
        with database_answers():
            async with asyncio.timeout(SECONDS), self._engine.connect() as connection:
                row = (await connection.execute(query)).one_or_none()
        return Avatar(user_id, bytes(row.image), row.updated_ms) if row else None

    async def known(self, user_id: str, request_id: str, request_hash: str) -> Avatar | None:
        """What the user's latest request with this id brought. Raises RequestIdReused for another picture under it."""
        columns = (avatar.c.request_hash, avatar.c.image, avatar.c.updated_ms)
        query = select(*columns).where(avatar.c.user_id == user_id, avatar.c.request_id == request_id)
        with database_answers():
            async with asyncio.timeout(SECONDS), self._engine.connect() as connection:
                row = (await connection.execute(query)).one_or_none()
        if row is not None and row.request_hash != request_hash:
            raise RequestIdReused("this request_id was used with another picture")
        return Avatar(user_id, bytes(row.image), row.updated_ms) if row else None

    async def replace(self, change: Update) -> Avatar:
        with database_answers():
            async with asyncio.timeout(SECONDS):
                await run_transaction(self._engine, partial(_replace, change))
        return Avatar(change.user_id, change.image, change.at_ms)


async def _replace(change: Update, connection: AsyncConnection) -> None:
    values = {
        "image": change.image,
        "request_id": change.request_id,
        "request_hash": change.request_hash,
        "updated_ms": change.at_ms,
    }
    # One statement: READ COMMITTED locks no gap, so two first pictures that both looked would both insert.
    statement = insert(avatar).values(user_id=change.user_id, **values)
    await connection.execute(statement.on_duplicate_key_update(**values))
