"""What an order takes of Redis is within what the preflight reckons with."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from kernel.stock.keys import ORDER_BYTES
from tools.bench.redis_memory import measure_on

# Tables double at powers of two: just after, an order's share of them is largest, and just before smallest.
FULLEST, EMPTIEST = 16_000, 17_000
USERS: dict[str, Callable[[], str]] = {
    "a UUID for a user": lambda: str(uuid4()),
    "14 characters for a user": lambda: f"buyer-{uuid4().hex[:8]}",
}


@pytest.mark.parametrize("orders", [FULLEST, EMPTIEST])
@pytest.mark.parametrize("user", USERS)
async def test_an_open_order_is_within_its_bound(
    redis: Redis, figure: Callable[[str], None], user: str, orders: int
) -> None:
    found = await measure_on(redis, orders, USERS[user])
    figure(
        f"{found.open_bytes:.0f} bytes of Redis an open order with {user}, {orders} of them; "
        f"{found.in_outbox_bytes:.0f} in the outbox, {found.hold_bytes:.0f} more with a voucher that has limits"
    )
    assert 400 < found.open_bytes <= ORDER_BYTES
    # What a sale prints is the sum of the parts: it must be what the server itself counts.
    assert abs(sum(found.parts.values()) - found.open_bytes) < 0.1 * found.open_bytes
