"""Who asked for what and when: journal of the operators' calls, and their idempotency."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from governor.metrics import CHANGES
from kernel.ops_journal import OpsCall, find_answer, record_answer

Work = Callable[[AsyncConnection], Awaitable[bytes]]


async def once(connection: AsyncConnection, call: OpsCall, work: Work) -> bytes:
    """What `work` answered the first time; it runs, and its answer is recorded, in the transaction given.

    Under the ChangeLock, so that two calls with one request_id do not both find nothing. Raises RequestIdReused.
    """
    known = await find_answer(connection, call)
    if known is not None:
        return known
    response = await work(connection)
    await record_answer(connection, call, response)
    CHANGES.labels(call.method).inc()
    return response
