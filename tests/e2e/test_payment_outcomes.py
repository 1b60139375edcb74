"""Payments that fail give the stock back; nobody is charged for what failed."""

from tests.e2e.shop import Shop, State
from tests.polling import eventually


async def test_an_empty_wallet_fails_the_order_and_frees_its_unit(shop: Shop) -> None:
    sale = await shop.open_sale(units=1)
    await shop.set_balance(0, "poor")
    answer = await shop.place("poor", sale)
    order = await shop.reaches("poor", answer.order_id, State.ORDER_STATE_PAYMENT_FAILED)
    assert order.state_reason

    async def is_back() -> bool:
        return (await shop.offer(sale)).redis.available == 1

    await eventually(is_back)
    second = await shop.place("rich", sale)
    await shop.reaches("rich", second.order_id, State.ORDER_STATE_TO_SHIP)
    again = await shop.order("poor", answer.order_id)
    assert again.state == State.ORDER_STATE_PAYMENT_FAILED
