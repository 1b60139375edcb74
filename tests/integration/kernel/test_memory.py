"""What an order takes of Redis is within what the preflight reckons with."""

from collections.abc import Callable
from itertools import count
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from kernel.stock.keys import ORDER_BYTES
from tools.bench.redis_memory import measure_on

NUMBERS = count()
# Tables double at powers of two, of which 16,384 is one: just after, an order's share of them is largest.
ORDERS = 17_000
USERS: dict[str, Callable[[], str]] = {
    "a UUID for a user": lambda: str(uuid4()),
    "14 characters for a user": lambda: f"buyer-{next(NUMBERS):08}",
}


@pytest.mark.parametrize("user", USERS)
async def test_an_open_order_is_within_its_bound_however_many_there_are(
    redis: Redis, figure: Callable[[str], None], user: str
) -> None:
    found = await measure_on(redis, ORDERS, USERS[user])
    figure(
        f"{found.least_bytes:.0f} to {found.most_bytes:.0f} bytes of Redis an open order with {user}, most with "
        f"{found.most_at} of them; {found.outbox_bytes:.0f} more in the outbox, {found.hold_bytes:.0f} more with a "
        "voucher that has limits"
    )
    assert 400 < found.least_bytes < found.most_bytes <= ORDER_BYTES
    # What a sale prints is the sum of the parts: it must be what the server itself counts.
    at_end = found.open_bytes[max(found.open_bytes)]
    assert abs(sum(found.parts.values()) - at_end) < 0.1 * at_end
