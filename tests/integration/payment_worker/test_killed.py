"""payment_worker as a process of its own, killed where it hurts, and started again."""

from tests.integration.payment_worker.shop import PRICE, Shop

CRASH_POINTS = ("after_debit_started", "after_debit_call", "after_debit_stored")


async def test_killed_at_each_point_around_the_debit_it_charges_once(shop: Shop) -> None:
    """Each start takes up what the one before left: a member that was killed holds its partitions for 10 s."""
    ids = await shop.place(10)
    for crash_at in CRASH_POINTS:
        async with shop.worker_process(crash_at) as process:
            assert await process.wait() == 137
        ids += await shop.place(5)
    async with shop.worker_process() as process:
        await shop.until(ids, "SETTLED", within=40)
    assert process.returncode == 0
    assert {order_id: shop.debits(order_id) for order_id in ids} == dict.fromkeys(ids, 1)
    assert all(charge > PRICE for charge in shop.charges(ids).values())
    assert all("FAILED" not in shop.told[order_id] for order_id in ids)
