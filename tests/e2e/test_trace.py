"""`peakmesh order trace` of an order that was paid, given up and refunded: what all five systems recorded, in order."""

import re
from typing import Any

from tests.e2e.shop import Shop, State
from tests.e2e.terminal import peakmesh, peakmesh_json
from tests.polling import eventually

PAYING = {"quoted", "debit", "money moved: debit", "booked", "invoiced", "coins granted"}
TAKING_BACK = {"unbooked", "refunded", "money moved: refund", "credit note", "coins revoked"}
# Each by its own system's record, one after the other; what happens at the same time stands in between.
STORY = [
    ("redis", "reserved"),
    ("orders.intake", "accepted"),
    ("orders", "row written"),
    ("payment_step", "debit begun"),
    ("provider", "money moved: debit"),
    ("payment_step", "booking begun"),
    ("provider", "booked"),
    ("payment_step", "unbook begun"),
    ("provider", "unbooked"),
    ("payment_step", "refund begun"),
    ("provider", "money moved: refund"),
]


def events(traced: Any) -> list[tuple[str, str]]:
    return [(event["source"], event["what"]) for event in traced["events"]]


async def test_a_refunded_order_is_traced_through_all_five_systems(shop: Shop) -> None:
    sale = await shop.open_sale(units=1)
    order_id = (await shop.place("ana", sale)).order_id
    await shop.reaches("ana", order_id, State.ORDER_STATE_TO_SHIP)
    [cancelled] = await peakmesh_json("order", "cancel", order_id, "--user", "ana", "--reason", "found it cheaper")
    assert cancelled["order_id"] == order_id
    await shop.reaches("ana", order_id, State.ORDER_STATE_REFUNDED)
    found: list[Any] = []

    async def taken_back() -> bool:
        found[:] = [await peakmesh_json("order", "trace", order_id)]
        said = {what for source, what in events(found[0]) if source == "provider"}
        return said >= TAKING_BACK and ("orders", "row REFUNDED") in events(found[0])

    # REFUNDED is told when the money is back; the credit note and the coins may follow.
    await eventually(taken_back, within=20, every=0.5)
    [traced] = found
    assert traced["unread"] == {}
    told = events(traced)
    assert {what for source, what in told if source == "provider"} == PAYING | TAKING_BACK
    assert [told.count(("provider", f"money moved: {kind}")) for kind in ("debit", "refund")] == [1, 1]
    for step in ("debit", "booking", "invoice", "coins", "unbook", "refund", "credit", "revoke"):
        assert {("payment_step", f"{step} begun"), ("payment_step", f"{step} DONE")} <= set(told), step
    in_kafka = [event for event in traced["events"] if event["source"] in ("orders.intake", "orders.created")]
    assert len(in_kafka) >= 2
    assert all(re.match(r"partition \d offset \d+", event["detail"]) for event in in_kafka)
    assert [event["at_ms"] for event in traced["events"]] == sorted(event["at_ms"] for event in traced["events"])
    assert [each for each in told if each in STORY] == STORY
    shown = await peakmesh("order", "trace", order_id)
    assert (shown.exit_code, "coins revoked" in shown.output) == (0, True)
