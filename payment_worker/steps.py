"""payment_step in SQL: changes of all orders in flight, committed together.

A commit costs a disk flush, and an order needs four of them: one transaction an order would cap the worker at a
quarter of what the disk flushes. While a transaction runs the next changes gather, and one commit takes them all.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.dialects.mysql import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.payment_steps import STARTED, TAKING_BACK, key_of
from kernel.schema import payment_step
from meshkit.clock import wall_ms
from meshkit.db.errors import DUPLICATE_KEY, error_number, is_transient
from meshkit.patience import retry_forever
from payment_worker import metrics
from payment_worker.step_rows import Applied, Change, Rows, StepRow, apply

# 300 changes touch up to 900 rows in ~50 ms: longer would delay the first one's debit and save no flush worth it.
MAX_CHANGES = 300
# In the order of StepRow's fields, so that a row is read by place: by name, each field is looked up. None may be NULL.
_COLUMNS = tuple(payment_step.c[field.name] for field in fields(StepRow))
_BEGIN = insert(payment_step)
# One statement moves all rows. They exist and are locked, so that the insert half of it never happens.
_MOVED = upsert(payment_step)
_MOVE = _MOVED.on_duplicate_key_update(
    {
        name: getattr(_MOVED.inserted, name)
        for name in ("state", "attempt", "amount_minor", "provider_ref", "reason", "updated_ms")
    }
)
Waiting = tuple[Change, asyncio.Future[Applied]]


class StepTable:
    """Implements ports.Steps. `run` must be running for `change` to return."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: list[Waiting] = []
        self._arrived = asyncio.Event()

    async def change(self, change: Change) -> Applied:
        """Raises DBAPIError where this very change is what the database cannot hold."""
        future: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        self._arrived.set()
        return await future

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            taken, self._waiting = self._waiting[:MAX_CHANGES], self._waiting[MAX_CHANGES:]
            if not self._waiting:
                self._arrived.clear()
            await self._settle(taken)

    async def _settle(self, taken: Sequence[Waiting]) -> None:
        try:
            answers = await self._commit([change for change, _ in taken])
        except DBAPIError as error:
            await self._bisect(taken, error)
            return
        for (_, future), answer in zip(taken, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    async def _bisect(self, taken: Sequence[Waiting], error: DBAPIError) -> None:
        if len(taken) > 1:
            half = len(taken) // 2
            await self._settle(taken[:half])
            await self._settle(taken[half:])
        elif taken and not taken[0][1].done():
            taken[0][1].set_exception(error)

    async def _commit(self, changes: Sequence[Change]) -> list[Applied]:
        """Redone without limit while the server is away, and when another writer was faster (deadlock, new row)."""
        return await retry_forever(
            "steps", partial(self._commit_once, changes), _is_redone, first=0.005, longest=1.0, wait=_full_jitter
        )

    async def _commit_once(self, changes: Sequence[Change]) -> list[Applied]:
        began = time.perf_counter()
        async with self._engine.begin() as connection:
            answers = await _apply_all(connection, changes)
        metrics.COMMIT_ORDERS.observe(len(changes))
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - began)
        return answers

    async def started_back(self, limit: int) -> list[StepRow]:
        """Steps of TAKING_BACK to do, the longest untouched first; no lock."""
        query = (
            select(*_COLUMNS)
            .where(payment_step.c.state == STARTED, payment_step.c.step.in_(TAKING_BACK))
            .order_by(payment_step.c.updated_ms)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [_row(each) for each in (await connection.execute(query)).all()]


def _is_redone(error: Exception) -> bool:
    return error_number(error) == DUPLICATE_KEY or is_transient(error)


async def _full_jitter(seconds: float) -> None:
    """Two that met in a deadlock, and wait equally long, would meet again."""
    await asyncio.sleep(random.uniform(0, seconds))


async def _apply_all(connection: AsyncConnection, changes: Sequence[Change]) -> list[Applied]:
    # FOR UPDATE makes read-then-write a compare-and-set. A missing row is not locked: its arbiter is the primary key,
    # so that an insert that finds (debit, BARRED) fails with 1062 and everything is read again.
    locked = select(*_COLUMNS).where(payment_step.c.order_id.in_({each.order_id for each in changes})).with_for_update()
    tables: dict[str, Rows] = {change.order_id: {} for change in changes}
    for row in map(_row, (await connection.execute(locked)).all()):
        tables[row.order_id] = {**tables[row.order_id], row.step: row}
    answers = []
    for change in changes:
        # Each sees what the one before it left, also within this transaction.
        applied = apply(tables[change.order_id], change)
        tables[change.order_id] = applied.rows
        answers.append(applied)
    await _write(connection, tables, changes, answers)
    return answers


async def _write(
    connection: AsyncConnection, tables: Mapping[str, Rows], changes: Sequence[Change], answers: Sequence[Applied]
) -> None:
    pairs = list(zip(changes, answers, strict=True))
    new = {(change.order_id, step) for change, applied in pairs for step in applied.inserted}
    moved = {(change.order_id, step) for change, applied in pairs for step in applied.updated} - new
    now = wall_ms()
    # Sorted by primary key: two writers that lock in the same order cannot deadlock.
    if new:
        values = [_values(tables[order_id][step], now) for order_id, step in sorted(new)]
        await connection.execute(_BEGIN, values)
    if moved:
        values = [_values(tables[order_id][step], now) for order_id, step in sorted(moved)]
        await connection.execute(_MOVE, values)


def _values(row: StepRow, now: int) -> dict[str, object]:
    return {
        "order_id": row.order_id,
        "step": row.step,
        "idempotency_key": key_of(row.order_id, row.step),
        "state": row.state,
        "attempt": row.attempt,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "provider_ref": row.provider_ref,
        "reason": row.reason,
        "deadline_ms": row.deadline_ms,
        "created_ms": now,
        "updated_ms": now,
    }


def _row(each: Row[*tuple[Any, ...]]) -> StepRow:
    return StepRow(*each)
