"""Table `ops_request`: who asked for what and when, and the first answer to each request_id.

Every service that does an operator's bidding writes it in the transaction of the change.
"""

from dataclasses import dataclass
from hashlib import blake2b

from google.protobuf.message import Message
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.schema import ops_request
from meshkit.errors import RequestIdReused


@dataclass(frozen=True, slots=True)
class OpsCall:
    """One call as it is journalled; `request_hash` over its body."""

    request_id: str
    method: str
    request_hash: str
    who: str
    at_ms: int


def hash_of(request: Message) -> str:
    """Deterministic within a build. A retry over an upgrade that adds fields may be told REQUEST_ID_REUSED: an
    operator then looks, and nothing was done twice."""
    return blake2b(request.SerializeToString(deterministic=True), digest_size=16).hexdigest()


async def find_answer(connection: AsyncConnection, call: OpsCall) -> bytes | None:
    """What this request was answered the first time. Raises RequestIdReused for another body under its id."""
    query = select(ops_request).where(ops_request.c.request_id == call.request_id)
    known = (await connection.execute(query)).one_or_none()
    if known is None:
        return None
    if (known.method, known.request_hash) != (call.method, call.request_hash):
        raise RequestIdReused("this request_id was used with another body", metadata={"method": known.method})
    return bytes(known.response)


async def record_answer(connection: AsyncConnection, call: OpsCall, response: bytes) -> None:
    """An IntegrityError 1062 means that the same call was made at the same time."""
    row = {name: getattr(call, name) for name in OpsCall.__dataclass_fields__}
    await connection.execute(insert(ops_request).values(row | {"response": response}))
