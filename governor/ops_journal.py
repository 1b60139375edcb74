"""Who asked for what and when: journal of the operators' calls, and their idempotency."""

from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.metrics import CHANGES
from kernel.ops_journal import OpsCall, find_answer, record_answer
from meshkit.db.engine import run_transaction

Work = Callable[[AsyncConnection], Awaitable[bytes]]


async def once(engine: AsyncEngine, call: OpsCall, work: Work) -> bytes:
    """What `work` answered the first time; it runs, and its answer is recorded, in one transaction, redone whole.

    Under the ChangeLock, so that two calls with one request_id do not both find nothing. Raises RequestIdReused.
    """
    answer, changed = await run_transaction(engine, partial(_journalled, call, work))
    if changed:
        CHANGES.labels(call.method).inc()
    return answer


async def _journalled(call: OpsCall, work: Work, connection: AsyncConnection) -> tuple[bytes, bool]:
    known = await find_answer(connection, call)
    if known is not None:
        return known, False
    response = await work(connection)
    await record_answer(connection, call, response)
    return response, True
