"""Many buyers, few units: exactly as many orders as there are units, and nobody over the limit."""

import asyncio
from collections import Counter

from meshkit.errors import LimitReached, PeakmeshError, SoldOut
from peakmesh.ops.v1 import ops_service_pb2 as ops
from tests.e2e.shop import OpenSale, Shop, State
from tests.polling import eventually


async def _outcomes(shop: Shop, sale: OpenSale, users: list[str]) -> tuple[list[tuple[str, str]], Counter[type]]:
    answers = await asyncio.gather(*[shop.place(user, sale) for user in users], return_exceptions=True)
    accepted = [
        (user, answer.order_id)
        for user, answer in zip(users, answers, strict=True)
        if not isinstance(answer, BaseException)
    ]
    refused = Counter(type(answer) for answer in answers if isinstance(answer, PeakmeshError))
    assert len(accepted) + refused.total() == len(users), answers
    return accepted, refused


async def test_two_hundred_buyers_of_fifty_units(shop: Shop) -> None:
    sale = await shop.open_sale(units=50)
    accepted, refused = await _outcomes(shop, sale, [f"buyer-{number}" for number in range(200)])
    assert len(accepted) == 50
    assert refused == {SoldOut: 150}
    for user, order_id in accepted:
        await shop.reaches(user, order_id, State.ORDER_STATE_TO_SHIP)

    async def counted() -> bool:
        offer = await shop.offer(sale)
        return offer.database == offer.redis == ops.StockCounters(sold=50)

    # The row moves first, the reservation behind it.
    await eventually(counted)


async def test_one_user_cannot_pass_the_limit_by_haste(shop: Shop) -> None:
    sale = await shop.open_sale(units=50, limit=1)
    accepted, refused = await _outcomes(shop, sale, ["ana"] * 20)
    assert len(accepted) == 1
    assert refused == {LimitReached: 19}
    assert (await shop.offer(sale)).redis.available == 49
