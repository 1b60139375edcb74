"""Holds of vouchers over Redis: a method is one script, a script touches one hash slot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from redis.asyncio import Redis

from kernel.vouchers import keys
from kernel.vouchers.records import NO_LIMIT, Counters, Limits, read_counters, read_hold
from kernel.vouchers.scripts import source
from meshkit.redis_client import answered

T = TypeVar("T")
Argument = str | int
# Redis serves nobody else while a script runs: 200 grants take about 2 ms.
MAX_BATCH = 200


class TakeKind(StrEnum):
    GRANTED = "GRANTED"
    USED = "USED"
    SPENT = "SPENT"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Taken:
    """Where GRANTED: the order that has the hold, its discount, and how often it was taken."""

    kind: TakeKind
    order_id: str = ""
    amount_minor: int = 0
    take: int = 0


class Action(StrEnum):
    """What `settle` does; `scripts/settle.lua` says it in full."""

    COMMIT = "commit"
    CONFIRM = "confirm"
    RESTORE = "restore"
    FREE = "free"
    SHORTEN = "shorten"
    REFUND = "refund"
    KEEP = "keep"


class SettleKind(StrEnum):
    MOVED = "MOVED"
    RETAKEN = "RETAKEN"
    SKIPPED = "SKIPPED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Grant:
    """One order's. `n`: the take (FREE, 0: any; SHORTEN) or milliseconds (RESTORE, KEEP)."""

    order_id: str
    user_id: str = ""
    amount_minor: int = 0
    n: int = 0


class RedisHolds:
    """Expects a client with decode_responses=False. `now_ms`: a clock for tests; 0: Redis TIME."""

    def __init__(self, redis: Redis, now_ms: int = 0) -> None:
        self._redis = redis
        self.now_ms = now_ms
        self._take, self._settle, self._open = (
            redis.register_script(source(name)) for name in ("take", "settle", "open")
        )

    @property
    def _now(self) -> str:
        return str(self.now_ms or "")

    async def take(self, code: str, grant: Grant, hold_ms: int, request: str = "") -> Taken:
        """Raises DependencyUnavailable: the outcome is unknown, and the same call may be repeated."""
        args: list[Argument] = [self._now, grant.order_id, grant.user_id, grant.amount_minor, hold_ms, request]
        kind, *granted = await answered(self._take(keys.all_of(code), args))
        if not granted:
            return Taken(TakeKind(kind.decode()))
        order_id, amount, take = granted
        return Taken(TakeKind(kind.decode()), order_id.decode(), int(amount), int(take))

    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]:
        """One answer a grant, each of another order. Raises DependencyUnavailable: it may be repeated."""
        results: list[SettleKind] = []
        for part in _chunks(grants):
            orders = [field for each in part for field in (each.order_id, each.user_id, each.amount_minor, each.n)]
            replies = await answered(self._settle(keys.all_of(code), [self._now, action.value, *orders]))
            results += [SettleKind(reply.decode()) for reply in replies]
        return results

    async def set_limits(self, code: str, limits: Limits, *, opened: bool) -> None:
        """Makes the counters where there are none, and leaves them closed then. A limit below what was given becomes
        what was given."""
        wanted = (limits.budget_minor, limits.budget_grants, limits.uses_per_user)
        args = [int(opened), *(NO_LIMIT if each is None else each for each in wanted)]
        # The registry first: whatever has counters can be found.
        await answered(self._redis.sadd(keys.REGISTRY, code))
        await answered(self._open(keys.all_of(code), args))

    async def forget_all(self) -> None:
        """For a rebuild: every voucher is as one that Redis lost, closed until promo_svc has counted the rows."""
        for code in await self.codes():
            await answered(self._redis.unlink(*keys.all_of(code)))

    async def codes(self) -> list[str]:
        """Every voucher that ever had a limit."""
        raw: Any = await answered(self._redis.smembers(keys.REGISTRY))
        return sorted(code.decode() for code in raw)

    async def due(self, code: str, now_ms: int, count: int) -> list[Grant]:
        """Holds that have expired and are not committed, oldest first; `n` is the take."""
        raw: Any = await answered(self._redis.zrangebyscore(keys.due(code), "-inf", now_ms, start=0, num=count))
        values: Any = await answered(self._redis.hmget(keys.holds(code), raw)) if raw else []
        held = [(order_id.decode(), read_hold(value)) for order_id, value in zip(raw, values, strict=True) if value]
        return [Grant(order_id, hold.user_id, hold.amount_minor, hold.take) for order_id, hold in held]

    async def standing(self, codes: Sequence[str], user_id: str) -> dict[str, tuple[Counters, int]]:
        """What each has given, and the user's uses of it, in one round trip; a voucher that is not open is left out."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for code in codes:
                pipe.hgetall(keys.counters(code))
                pipe.hget(keys.uses(code), user_id)
            replies = await answered(pipe.execute()) if codes else []
        pairs = zip(codes, replies[::2], replies[1::2], strict=True)
        opened = ((code, values, uses) for code, values, uses in pairs if values.get(b"open") == b"1")
        return {code: (read_counters(values), int(uses or 0)) for code, values, uses in opened}


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), MAX_BATCH):
        yield items[start : start + MAX_BATCH]
