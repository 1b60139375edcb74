"""StockPort over Redis: a method is one script, a script touches one hash slot.

Redis has orders by their short ids (kernel/order_ids.py): here they become short, and whole again.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis

from kernel.offers import Offer
from kernel.order_ids import Slot, joined, parted, short_in
from kernel.stock import keys, replies
from kernel.stock.restored import HASH_DIGITS, RestoredBucket, restoring
from kernel.stock.results import (
    Counters,
    Mark,
    MarkResult,
    MoveKind,
    OfferState,
    OutboxEntry,
    Reservation,
    ReserveBatch,
    ReserveRequest,
    ReserveResult,
    SetInitialKind,
    SetInitialResult,
    Snapshot,
)
from kernel.stock.scripts import Argument, Call, run_all
from meshkit.errors import DependencyUnavailable
from meshkit.redis_client import answered

# Redis serves nobody else while a script runs: 500 orders take about 5 ms. Lua's unpack ends near 8,000 values.
MAX_BATCH = 500

T = TypeVar("T")


class RedisStock:
    """Expects a client with decode_responses=False. `now_ms`: a clock for tests; 0: Redis TIME."""

    def __init__(self, redis: Redis, now_ms: int = 0) -> None:
        self._redis = redis
        self.now_ms = now_ms

    @property
    def _now(self) -> Argument:
        return self.now_ms or ""

    async def _run_all(self, calls: Sequence[Call]) -> list[Any]:
        """Replies in order; failures of single calls are among them, as DependencyUnavailable."""
        raw = await answered(run_all(self._redis, calls))
        return [_unknown(reply) if isinstance(reply, Exception) else reply for reply in raw]

    async def _run(self, script: str, names: Sequence[str], *args: Argument) -> Any:
        [reply] = await self._run_all([Call(script, names, args)])
        if isinstance(reply, DependencyUnavailable):
            raise reply
        return reply

    async def open_offer(self, offer: Offer, initial: int, opens_ms: int, closes_ms: int) -> bool:
        share, rest = divmod(initial, offer.buckets)
        calls = [
            Call(
                "open",
                keys.all_of(offer.offer_no, bucket) + keys.former(offer.offer_no, bucket),
                [
                    offer.epoch,
                    share + (bucket < rest),
                    offer.price_minor,
                    offer.price_version,
                    offer.unit_limit,
                    opens_ms,
                    closes_ms,
                ],
            )
            for bucket in range(offer.buckets)
        ]
        outcomes = await self._run_all(calls)
        for outcome in outcomes:
            if isinstance(outcome, DependencyUnavailable):
                raise outcome
        return b"STALE_EPOCH" not in outcomes

    async def restore(self, bucket: RestoredBucket, now_ms: int) -> None:
        for call in restoring(bucket, now_ms):
            await self._run(call.script, call.keys, *call.args)

    async def set_state(
        self, offer_no: int, bucket: int, epoch: int, state: OfferState, only_from: OfferState | None = None
    ) -> bool:
        args: list[Argument] = [epoch, state] if only_from is None else [epoch, state, only_from]
        return bool(await self._run("set_state", [keys.stock(offer_no, bucket)], *args) == 1)

    async def set_initial(self, offer_no: int, bucket: int, epoch: int, initial: int) -> SetInitialResult:
        kind, committed = await self._run("set_initial", [keys.stock(offer_no, bucket)], epoch, initial)
        return SetInitialResult(SetInitialKind(kind.decode()), committed)

    async def counters(self, offer_no: int, bucket: int) -> Counters | None:
        values: Any = await answered(self._redis.hgetall(keys.stock(offer_no, bucket)))
        return replies.counters(values) if values else None

    async def counters_of(self, slots: Sequence[Slot]) -> list[Counters | None]:
        found: list[Counters | None] = []
        for part in _chunks(slots):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for slot in part:
                    pipeline.hgetall(keys.stock(*slot))
                found += [replies.counters(values) if values else None for values in await answered(pipeline.execute())]
        return found

    async def snapshot(self, offer_no: int, bucket: int) -> Snapshot | None:
        raw = await self._run("snapshot", keys.all_of(offer_no, bucket))
        return None if raw is None else replies.snapshot(raw)

    async def reserve(
        self, offer_no: int, bucket: int, epoch: int, requests: Sequence[ReserveRequest]
    ) -> list[ReserveResult]:
        [outcome] = await self.reserve_many([ReserveBatch(offer_no, bucket, epoch, requests)])
        if isinstance(outcome, DependencyUnavailable):
            raise outcome
        return outcome

    async def reserve_many(self, batches: Sequence[ReserveBatch]) -> list[list[ReserveResult] | DependencyUnavailable]:
        parts = [(i, part) for i, batch in enumerate(batches) for part in _chunks(batch.requests)]
        outcomes = await self._run_all([self._reserve_call(batches[i], part) for i, part in parts])
        results: list[list[ReserveResult] | DependencyUnavailable] = [[] for _ in batches]
        for (i, part), outcome in zip(parts, outcomes, strict=True):
            so_far = results[i]
            if isinstance(outcome, DependencyUnavailable):
                results[i] = outcome
            elif isinstance(so_far, list):
                slot = batches[i].offer_no, batches[i].bucket
                told = zip(part, outcome, strict=True)
                so_far.extend(replies.reserve_result(raw, slot, request.order_id) for request, raw in told)
        return results

    def _reserve_call(self, batch: ReserveBatch, requests: Sequence[ReserveRequest]) -> Call:
        slot = batch.offer_no, batch.bucket
        names = keys.all_of(*slot)
        args: list[Argument] = [batch.epoch, self._now, keys.IDEMPOTENCY_SECONDS]
        for r in requests:
            names.append(keys.idempotency(*slot, r.user_id, r.request_id))
            args += (
                short_in(slot, r.order_id),
                r.user_id,
                r.request_hash[:HASH_DIGITS],
                r.quantity,
                r.price_version,
                r.deadline_after_ms,
                r.event,
                r.answer,
            )
        return Call("reserve", names, args)

    async def first_answer(
        self, offer_no: int, bucket: int, epoch: int, request: ReserveRequest
    ) -> ReserveResult | None:
        names = keys.all_of(offer_no, bucket)
        names.append(keys.idempotency(offer_no, bucket, request.user_id, request.request_id))
        order = ("", request.user_id, request.request_hash[:HASH_DIGITS], 0, 0, request.deadline_after_ms, b"", "")
        [raw] = await self._run("reserve", names, epoch, self._now, keys.IDEMPOTENCY_SECONDS, *order)
        return None if raw[0] == b"UNSEEN" else replies.reserve_result(raw, (offer_no, bucket))

    async def mark_pending(self, epoch: int, order_id: str) -> MarkResult:
        done, mark, present = await self._mark(epoch, order_id, "pending")
        return MarkResult(done >= 0, Mark(mark.decode()), present == 1)

    async def touch(self, epoch: int, order_id: str) -> bool:
        return bool((await self._mark(epoch, order_id, "touch"))[0] == 1)

    async def clear_pending(self, epoch: int, order_id: str) -> bool:
        return bool((await self._mark(epoch, order_id, "clear"))[0] == 1)

    async def start_cancel(self, epoch: int, order_id: str, consent_ms: int) -> bool:
        return bool((await self._mark(epoch, order_id, "cancel", consent_ms))[0] == 1)

    async def _mark(self, epoch: int, order_id: str, action: str, consent_ms: int = 0) -> Any:
        slot, short = parted(order_id)
        names = [keys.stock(*slot), keys.reservations(*slot), keys.outbox(*slot)]
        return await self._run("mark", names, epoch, self._now, action, short, consent_ms)

    async def outbox_delete(self, offer_no: int, bucket: int, epoch: int, entry_ids: Sequence[str]) -> int:
        names = [keys.stock(offer_no, bucket), keys.outbox(offer_no, bucket)]
        deleted = 0
        for part in _chunks(entry_ids):
            deleted += await self._run("outbox_delete", names, epoch, *part)
        return deleted

    async def outbox_entries(self, offer_no: int, bucket: int, older_than_ms: int, count: int) -> list[OutboxEntry]:
        names = [keys.reservations(offer_no, bucket), keys.outbox(offer_no, bucket)]
        now_ms, *entries = await self._run("outbox_read", names, self._now, older_than_ms, count)
        slot = offer_no, bucket
        return [
            replies.outbox_entry(now_ms, entry_id, joined(slot, short), event, value)
            for entry_id, short, event, value in entries
        ]

    async def outbox_entry(self, order_id: str) -> OutboxEntry | None:
        raw = await self._look(order_id)
        if raw is None or not raw[4]:
            return None
        value, _deadline, _epoch, now_ms, entry_id, event = raw
        return replies.outbox_entry(now_ms, entry_id, order_id, event, value)

    async def reservation(self, order_id: str) -> Reservation | None:
        raw = await self._look(order_id)
        return None if raw is None else replies.reservation(order_id, raw)

    async def reservations(self, order_ids: Sequence[str]) -> list[Reservation | None]:
        raws = await self._run_all([self._look_call(order_id) for order_id in order_ids])
        for raw in raws:
            if isinstance(raw, DependencyUnavailable):
                raise raw
        pairs = zip(order_ids, raws, strict=True)
        return [None if raw is None else replies.reservation(order_id, raw) for order_id, raw in pairs]

    async def _look(self, order_id: str) -> Any:
        call = self._look_call(order_id)
        return await self._run(call.script, call.keys, *call.args)

    def _look_call(self, order_id: str) -> Call:
        slot, short = parted(order_id)
        names = [keys.stock(*slot), keys.reservations(*slot), keys.outbox(*slot), keys.deadlines(*slot)]
        return Call("look", names, [self._now, short])

    async def confirm(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return await self._move(epoch, order_ids, "R", "S")

    async def release(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return await self._move(epoch, order_ids, "R", "X")

    async def give_back(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return await self._move(epoch, order_ids, "S", "X")

    async def trim(self, epoch: int, order_ids: Sequence[str]) -> list[MoveKind]:
        return await self._by_slot("trim", order_ids, lambda slot: keys.all_of(*slot)[:2], [epoch])

    async def ended(self, offer_no: int, bucket: int, before_ms: int, cursor: int, count: int) -> tuple[list[str], int]:
        scan = self._redis.hscan(keys.reservations(offer_no, bucket), cursor, count=count)
        answer: Any = await answered(scan)
        after, found = answer
        ended = [short for short, value in found.items() if replies.has_ended(value, before_ms)]
        return [joined((offer_no, bucket), short) for short in ended], int(after)

    async def _move(self, epoch: int, order_ids: Sequence[str], source: str, target: str) -> list[MoveKind]:
        return await self._by_slot("move", order_ids, lambda slot: keys.moved_by(*slot), [epoch, source, target])

    async def _by_slot(
        self, script: str, order_ids: Sequence[str], names: Callable[[Slot], list[str]], args: Sequence[Argument]
    ) -> list[MoveKind]:
        slots: dict[Slot, list[tuple[int, bytes]]] = {}
        for i, order_id in enumerate(order_ids):
            slot, short = parted(order_id)
            slots.setdefault(slot, []).append((i, short))
        parts = [(slot, part) for slot, members in slots.items() for part in _chunks(members)]
        calls = [Call(script, names(slot), [*args, *(short for _i, short in part)]) for slot, part in parts]
        results = [MoveKind.ABSENT] * len(order_ids)
        for (_slot, part), outcome in zip(parts, await self._run_all(calls), strict=True):
            if isinstance(outcome, DependencyUnavailable):
                raise outcome
            for (i, _short), kind in zip(part, outcome, strict=True):
                results[i] = MoveKind(kind.decode())
        return results

    async def overdue(self, offer_no: int, bucket: int, now_ms: int, count: int, offset: int = 0) -> list[str]:
        due = keys.deadlines(offer_no, bucket)
        raw: Any = await answered(self._redis.zrangebyscore(due, "-inf", now_ms, start=offset, num=count))
        return [joined((offer_no, bucket), short) for short in raw]

    async def lease(self, name: str, holder: str, ttl_ms: int) -> bool:
        return bool(await self._run("lease", [keys.lease(name)], holder, ttl_ms) == 1)


def _unknown(error: Exception) -> DependencyUnavailable:
    return DependencyUnavailable("redis", f"redis: {error}")


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), MAX_BATCH):
        yield items[start : start + MAX_BATCH]
