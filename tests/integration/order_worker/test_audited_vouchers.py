"""Which books of vouchers the audit finds in a real Redis."""

from uuid import uuid4

from kernel.vouchers import keys
from kernel.vouchers.records import Limits
from kernel.vouchers.redis_holds import RedisHolds
from meshkit.redis_client import redis_pool
from tests.integration.order_worker.world import World
from tools.audit.read_vouchers import read_vouchers


async def test_a_book_that_is_lost_is_told_from_a_voucher_without_limits(world: World) -> None:
    kept, gone, never = (f"T-{name}-{uuid4().hex[:8]}" for name in ("kept", "gone", "never"))
    async with redis_pool(world.settings.redis) as redis:
        for code in (kept, gone):
            await RedisHolds(redis).set_limits(code, Limits(100), opened=True)
        await redis.unlink(*keys.all_of(gone))
        books = await read_vouchers(redis, [never], lambda _: True)
    assert (books[gone], books[never]) == (None, None)
    book = books[kept]
    assert book is not None
    assert (book.counters.limits, book.holds) == (Limits(100), {})
    assert f"T-other-{never}" not in books
