"""payment_worker in this process, over real MariaDB, Kafka and the provider sandbox."""

from kernel.topics import ORDERS_CREATED, dlq_topic
from meshkit.kafka.consumer import consuming
from payment_worker.app import running
from tests.integration.payment_worker.shop import PRICE, Shop, new_ids
from tests.polling import eventually
from tools.providers.knobs import Knobs

STEPS = {"quote", "debit", "booking", "invoice", "coins"}


async def test_a_hundred_orders_are_charged_once_and_settled(shop: Shop) -> None:
    ids = await shop.place(100)
    async with running(shop.settings):
        await shop.until(ids, "SETTLED")
    assert all(shop.told[order_id] == ["PAID", "SETTLED"] for order_id in ids)
    assert all(charge > PRICE for charge in shop.charges(ids).values())
    assert {order_id: shop.debits(order_id) for order_id in ids} == dict.fromkeys(ids, 1)
    assert await shop.states(ids[0]) == dict.fromkeys(STEPS, "DONE")


async def test_a_record_that_comes_twice_is_charged_once(shop: Shop) -> None:
    ids = await shop.place(10)
    await shop.republish(ids)
    async with running(shop.settings):
        await eventually(lambda: told_twice(shop, ids), within=20)
    assert {shop.debits(order_id) for order_id in ids} == {1}


async def told_twice(shop: Shop, ids: list[str]) -> bool:
    await shop.until(ids, "SETTLED")
    return all(shop.told[order_id].count("SETTLED") == 2 for order_id in ids)


async def test_a_wallet_that_does_it_and_does_not_answer_charges_once(shop: Shop) -> None:
    shop.turn(wallet=Knobs(lost_answer=0.5))
    ids = await shop.place(20)
    async with running(shop.settings):
        await shop.until(ids, "SETTLED")
    assert {shop.debits(order_id) for order_id in ids} == {1}
    assert all(charge > PRICE for charge in shop.charges(ids).values())


async def test_a_wallet_that_fails_is_asked_again_from_the_retry_topic(shop: Shop) -> None:
    shop.turn(wallet=Knobs(error=1.0))
    ids = await shop.place(3)
    async with running(shop.settings) as worker:
        before = worker.ended
        await eventually(lambda: worker.ended - before >= 3, within=20)
        assert all("PAID" not in shop.told.get(order_id, ()) for order_id in ids)
        shop.turn(wallet=Knobs())
        await shop.until(ids, "SETTLED")
    assert {shop.debits(order_id) for order_id in ids} == {1}


async def test_a_wallet_without_enough_fails_the_order_uncharged(shop: Shop) -> None:
    ids = await shop.place(5, goods=2_000_000_000)
    async with running(shop.settings):
        await shop.until(ids, "FAILED")
    assert set(shop.charges(ids).values()) == {0}
    assert (await shop.states(ids[0]))["debit"] == "FAILED"


async def test_a_barred_order_is_never_charged(shop: Shop) -> None:
    ids = new_ids(1)
    await shop.insert_step(ids[0], "debit", "BARRED")
    await shop.republish(ids)
    async with running(shop.settings):
        await shop.until(ids, "FAILED")
    assert shop.debits(ids[0]) == 0
    assert await shop.states(ids[0]) == {"debit": "BARRED"}


async def test_a_refund_that_order_worker_asks_for_is_done_and_told(shop: Shop) -> None:
    ids = await shop.place(1)
    async with running(shop.settings):
        await shop.until(ids, "SETTLED")
        charged = shop.charges(ids)[ids[0]]
        await shop.insert_step(ids[0], "refund", "STARTED", amount_minor=charged)
        await shop.until(ids, "REFUNDED")
        await eventually(lambda: refund_stored(shop, ids[0]))
    assert shop.charges(ids) == {ids[0]: 0}


async def refund_stored(shop: Shop, order_id: str) -> bool:
    return (await shop.states(order_id))["refund"] == "DONE"


async def test_bytes_that_are_no_order_go_to_the_dlq_and_stop_nobody(shop: Shop) -> None:
    await shop.publisher.publish_all(ORDERS_CREATED, [("bad", b"\xff\xff\xff", ())])
    ids = await shop.place(3)
    async with (
        running(shop.settings),
        consuming(shop.mesh.settings.kafka, [dlq_topic(ORDERS_CREATED)], f"dlq-{ids[0]}") as dlq,
    ):
        await shop.until(ids, "SETTLED")
        found = []

        async def buried() -> bool:
            found.extend(await dlq.poll(0.05))
            return any(record.key == "bad" for record in found)

        await eventually(buried)
    record = next(record for record in found if record.key == "bad")
    assert record.value == b"\xff\xff\xff"
    assert record.headers["origin"].startswith(b"orders.created/")
