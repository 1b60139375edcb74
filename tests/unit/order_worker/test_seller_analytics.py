"""A seller's figures that nobody waits for any more are not asked of the database."""

import asyncio
from contextlib import suppress

import pytest

from meshkit.errors import DeadlinePassed
from meshkit.rpc import deadline
from order_worker.sales_reads import Sales
from order_worker.seller_analytics import SellerAnalytics
from tests.polling import eventually


class Slow:
    """A database that answers once it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.free = asyncio.Event()

    async def __call__(self, seller_id: str, from_ms: int, until_ms: int) -> Sales:
        self.asked.append(seller_id)
        await self.free.wait()
        return Sales([], [], more_skus=False)


async def over() -> bool:
    with suppress(DeadlinePassed):
        deadline.check()
        return False
    return True


async def test_whoever_is_gone_at_their_turn_costs_no_query() -> None:
    reads = Slow()
    analytics = SellerAnalytics(reads, 1)

    async def ask(seller: str, milliseconds: int) -> None:
        deadline.begin({deadline.HEADER: str(milliseconds)}, None)
        await analytics(seller, None, None)

    first = asyncio.create_task(ask("first", 60_000))
    await eventually(lambda: reads.asked == ["first"])
    late = asyncio.create_task(ask("late", 50))
    await asyncio.sleep(0)
    deadline.begin({deadline.HEADER: "50"}, None)
    await eventually(over)
    reads.free.set()
    await first
    with pytest.raises(DeadlinePassed):
        await late
    assert reads.asked == ["first"]
