"""Vouchers as Redis has them: each read in one transaction."""

from collections.abc import Callable, Mapping
from typing import Any

from redis.asyncio import Redis

from kernel.vouchers import keys
from kernel.vouchers.records import read_counters, read_hold
from tools.audit.facts import VoucherBook


async def read_vouchers(redis: Redis, mine: Callable[[str], bool]) -> Mapping[str, VoucherBook]:
    """Every voucher that ever had a limit. `mine`: whether an order_id is of the sales that are audited."""
    codes: Any = await redis.smembers(keys.REGISTRY)
    books = {code.decode(): await _read(redis, code.decode(), mine) for code in sorted(codes)}
    return {code: book for code, book in books.items() if book is not None}


async def _read(redis: Redis, code: str, mine: Callable[[str], bool]) -> VoucherBook | None:
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(keys.counters(code))
        pipe.hgetall(keys.holds(code))
        pipe.hgetall(keys.uses(code))
        counters, holds, uses = await pipe.execute()
    if not counters:
        return None
    return VoucherBook(
        counters=read_counters(counters),
        holds={order_id.decode(): read_hold(value) for order_id, value in holds.items()},
        uses={user.decode(): int(times) for user, times in uses.items()},
        elsewhere=frozenset(order_id.decode() for order_id in holds if not mine(order_id.decode())),
    )
