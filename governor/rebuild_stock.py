"""Rebuild lost stock from the rows: close → drain → wait → markers → rows up to them → load → new epoch → open last.

Each call goes on from what is stored, and waits for each of the others SLICE_SECONDS; repeat it until it is DONE.
docs/adr/0026.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governor.change_lock import ChangeLock
from governor.intake_markers import IntakeMarkers
from governor.load_offer import LoadOffer
from governor.ops_journal import once
from governor.rebuild import Phase, Progress, Rebuild, RebuildState
from governor.rebuild_table import begin, covers_all, move_offers, read_offers, read_rebuild, read_under_way
from governor.sale import OfferRow
from governor.sale_stock import SaleStock
from kernel.ops_journal import OpsCall
from kernel.topics import PARTITIONS
from meshkit.clock import wall_ms
from meshkit.crash import crash_point
from meshkit.db.engine import run_transaction
from meshkit.db.errors import database_answers
from meshkit.errors import IllegalState, PeakmeshError
from meshkit.patience import every

SLICE_SECONDS = 3.0
POLL_SECONDS = 0.1


class RebuildStock:
    """`budget_seconds`: within it every checkout process has answered QUEUED, or never will. `forget_vouchers`: what
    they gave is counted anew from the rows, which promo_svc does once all stock is whole."""

    def __init__(
        self,
        engine: AsyncEngine,
        lock: ChangeLock,
        stock: SaleStock,
        markers: IntakeMarkers,
        load: LoadOffer,
        forget_vouchers: Callable[[], Awaitable[None]],
        budget_seconds: float,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._engine, self._lock, self._stock, self._markers, self._load = engine, lock, stock, markers, load
        self._forget_vouchers, self._budget, self._now_ms = forget_vouchers, budget_seconds, now_ms

    async def __call__(self, call: OpsCall, sale_id: str, reason: str) -> Progress:
        """`sale_id` empty: every sale. Raises SaleNotFound, IllegalState, RequestIdReused, DependencyUnavailable
        (repeat)."""

        async def work(connection: AsyncConnection) -> bytes:
            return str(await begin(connection, call, sale_id, reason)).encode()

        async with self._lock.held():
            epoch = int(await once(self._engine, call, work))
            crash_point("after_rebuild_rows")
            return await self._advance(epoch)

    async def run(self, seconds: float) -> None:
        """Until cancelled, `seconds` apart; servers that are away are waited for."""
        await every(seconds, "rebuild", self.keep_shut, PeakmeshError, SQLAlchemyError, OSError)

    async def keep_shut(self) -> None:
        """What comes back in Redis while nobody repeats the call."""
        if await self._waiting():
            async with self._lock.held():
                # Read again: what was opened since must not be shut.
                await self._stock.shut(await self._waiting())

    async def _waiting(self) -> list[OfferRow]:
        """Offers under rebuild that are not loaded yet."""
        with database_answers():
            async with self._engine.connect() as connection:
                rebuild = await read_under_way(connection)
                if rebuild is None:
                    return []
                numbers = rebuild.in_state(RebuildState.BEGUN) + rebuild.in_state(RebuildState.FENCED)
                return await read_offers(connection, numbers)

    async def _advance(self, epoch: int) -> Progress:
        rebuild = await self._read(epoch)
        if begun := rebuild.in_state(RebuildState.BEGUN):
            left = await self._quiet(rebuild, begun)
            if left:
                return _progress(rebuild, Phase.DRAINING, outbox=left)
            await self._fence(rebuild, begun)
        rebuild = await self._read(epoch)
        if fenced := rebuild.in_state(RebuildState.FENCED):
            passed = await self._passed(rebuild, fenced)
            if passed < PARTITIONS:
                return _progress(rebuild, Phase.CONSUMING, passed=passed, markers=PARTITIONS)
        await self._open(rebuild)
        rebuild = await self._read(epoch)
        over = len(rebuild.in_state(RebuildState.DONE)) == len(rebuild.offers)
        return _progress(rebuild, Phase.DONE if over else Phase.LOADING, passed=PARTITIONS, markers=PARTITIONS)

    async def _quiet(self, rebuild: Rebuild, numbers: Sequence[int]) -> int:
        """Nothing is reserved any more; returns what Kafka has not yet of what was."""
        rows, is_of_all = await self._scope(rebuild, numbers)
        await self._stock.shut(rows)
        if is_of_all:
            await self._forget_vouchers()
        crash_point("after_rebuild_closed")
        until = time.monotonic() + SLICE_SECONDS
        while True:
            left = sum([await self._stock.undelivered(row) for row in rows])
            if not left or time.monotonic() > until:
                return left
            await asyncio.sleep(POLL_SECONDS)

    async def _fence(self, rebuild: Rebuild, numbers: Sequence[int]) -> None:
        # Whoever reserved just before may still see the ack and say QUEUED: such an order must be before the marker.
        await asyncio.sleep(self._budget)
        await self._markers.write(rebuild.epoch)
        crash_point("after_rebuild_markers")
        await self._move(rebuild.epoch, numbers, RebuildState.FENCED)

    async def _passed(self, rebuild: Rebuild, numbers: Sequence[int]) -> int:
        """A copy of Redis that comes back meanwhile is open in the older epoch, and what it takes comes after the
        markers, to be refused: it is shut again at every look."""
        rows, _ = await self._scope(rebuild, numbers)
        until = time.monotonic() + SLICE_SECONDS
        while True:
            await self._stock.shut(rows)
            passed = await self._markers.passed(rebuild.epoch)
            if passed >= PARTITIONS or time.monotonic() > until:
                return passed
            await asyncio.sleep(POLL_SECONDS)

    async def _open(self, rebuild: Rebuild) -> None:
        """At least one offer a call, however long it takes."""
        until = time.monotonic() + SLICE_SECONDS
        waiting = [n for n, state in sorted(rebuild.offers.items()) if state is not RebuildState.DONE]
        for done, number in enumerate(waiting):
            if done and time.monotonic() > until:
                return
            if rebuild.offers[number] is RebuildState.FENCED:
                await self._load(number, rebuild.epoch)
                await self._move(rebuild.epoch, [number], RebuildState.LOADED)
                crash_point("after_rebuild_loaded")
            opened = await self._load.open(number, rebuild.epoch)
            crash_point("after_rebuild_opened")
            # Over in either case: what was opened may have sold, so that only a new epoch could load it again.
            await self._move(rebuild.epoch, [number], RebuildState.DONE)
            if not opened:
                raise IllegalState(f"offer {number} was lost again before it was opened: begin another rebuild")

    async def _move(self, epoch: int, numbers: Sequence[int], new: RebuildState) -> None:
        move = partial(move_offers, epoch=epoch, numbers=numbers, new=new, now_ms=self._now_ms())
        await run_transaction(self._engine, move)

    async def _read(self, epoch: int) -> Rebuild:
        with database_answers():
            async with self._engine.connect() as connection:
                return await read_rebuild(connection, epoch)

    async def _scope(self, rebuild: Rebuild, numbers: Sequence[int]) -> tuple[list[OfferRow], bool]:
        """Those offers, and whether no other sale is left outside."""
        with database_answers():
            async with self._engine.connect() as connection:
                return await read_offers(connection, numbers), await covers_all(connection, rebuild)


def _progress(rebuild: Rebuild, phase: Phase, outbox: int = 0, passed: int = 0, markers: int = 0) -> Progress:
    done = len(rebuild.in_state(RebuildState.DONE))
    return Progress(phase, rebuild.epoch, done, len(rebuild.offers), outbox, passed, markers)
