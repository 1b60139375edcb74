"""What a buyer's call says of itself goes on with what comes of it: to promotions, and to Kafka."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

import pytest

from checkout_svc.purchase import PromotionState
from meshkit.clock import wall_ms
from meshkit.rpc import criticality, deadline
from tests.unit.checkout_svc.bench import Bench, purchase

T = TypeVar("T")


async def in_a_call(metadata: dict[str, str], work: Coroutine[Any, Any, T]) -> T:
    """As a server would: in a context of its own."""

    async def serve() -> T:
        criticality.begin(metadata)
        deadline.begin(metadata, None)
        return await work

    return await asyncio.create_task(serve(), context=Context())


@pytest.mark.parametrize("worth", ["CORE", "SHEDDABLE"])
async def test_worth_and_deadline_are_told_to_promotions_and_to_kafka(worth: str) -> None:
    bench = await Bench().open()
    bench.promotions.applies(250)
    metadata = {criticality.HEADER: worth, deadline.HEADER: "3000"}
    began = wall_ms()
    answer = await in_a_call(metadata, bench.place(purchase(voucher_code="SAVE")))
    [told] = bench.promotions.metadata
    assert told[criticality.HEADER] == worth
    # Less than the call itself has, by what was used and what is shaved.
    assert 2_500 < int(told[deadline.HEADER]) <= 2_995
    [headers] = bench.kafka.headers
    assert headers["criticality"] == worth.encode()
    assert began + 2_900 <= int(headers["call-deadline-ms"]) <= wall_ms() + 3_000
    assert int(headers["deadline-ms"]) == answer.deadline_ms


async def test_outside_of_a_call_the_relay_publishes_as_core() -> None:
    bench = await Bench().open()
    await bench.place(purchase())
    [headers] = bench.kafka.headers
    assert headers["criticality"] == b"CORE"
    assert "call-deadline-ms" not in headers


async def test_whoever_waits_shorter_than_a_quote_takes_is_not_held_against_promotions() -> None:
    bench = await Bench().open(units=50)
    bench.promotions.applies(250)
    for number in range(25):
        # The quote may take a second here.
        answer = await in_a_call({deadline.HEADER: "900"}, bench.place(purchase(f"u{number}", voucher_code="SAVE")))
        assert answer.promotion.state is PromotionState.UNAVAILABLE
    assert bench.promotions.asked == 0
    answer = await bench.place(purchase("patient", voucher_code="SAVE"))
    assert answer.promotion.state is PromotionState.APPLIED
