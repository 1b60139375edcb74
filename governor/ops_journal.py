"""Who asked for what and when: journal of the operators' calls, and their idempotency."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from governor.metrics import CHANGES
from kernel.schema import ops_request
from meshkit.errors import RequestIdReused

Work = Callable[[AsyncConnection], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class OpsCall:
    """One call as it is journalled; `request_hash` over its body."""

    request_id: str
    method: str
    request_hash: str
    who: str
    at_ms: int


async def once(connection: AsyncConnection, call: OpsCall, work: Work) -> bytes:
    """What `work` answered the first time; it runs, and its answer is recorded, in the transaction given.

    Under the ChangeLock, so that two calls with one request_id do not both find nothing. Raises RequestIdReused.
    """
    query = select(ops_request).where(ops_request.c.request_id == call.request_id)
    known = (await connection.execute(query)).one_or_none()
    if known is not None:
        if (known.method, known.request_hash) != (call.method, call.request_hash):
            raise RequestIdReused("this request_id was used with another body", metadata={"method": known.method})
        return bytes(known.response)
    response = await work(connection)
    row = {
        "request_id": call.request_id,
        "method": call.method,
        "request_hash": call.request_hash,
        "response": response,
        "who": call.who,
        "at_ms": call.at_ms,
    }
    await connection.execute(insert(ops_request).values(row))
    CHANGES.labels(call.method).inc()
    return response
