"""Two sales with five SKUs between them, one opening at the moment the other closes: the audit holds for each."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.stock.redis_adapter import RedisStock
from meshkit.clock import wall_ms
from meshkit.errors import DeadlinePassed, DependencyUnavailable, SaleNotOpen, SoldOut
from meshkit.money import from_minor
from meshkit.redis_client import redis_pool
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.ops.v1 import ops_service_pb2 as ops
from tests.e2e.shop import OpenSale, Shop, State
from tests.polling import eventually
from tools.audit.report import Verdict
from tools.audit.run import run_audit

# Buyers a SKU, whose first taps are spread evenly over AROUND_MS before the switch and as long after it.
BUYERS, AROUND_MS, SWITCH_MS = 100, 1_000, 3_000
# Enough for all who come in time, so that nothing but the clock refuses them; too few for all who wait.
PLENTY, SCARCE = BUYERS, 60


@dataclass
class Tap:
    """One buyer of one SKU: when their first tap left and was answered, Unix milliseconds, and what they were told."""

    user: str
    sale: OpenSale
    request: checkout.PlaceOrderRequest
    at_ms: int
    sent_ms: int = 0
    answered_ms: int = 0
    told: list[str] = field(default_factory=list)
    order_id: str = ""


def at(millis: int) -> Timestamp:
    return Timestamp(seconds=millis // 1000, nanos=millis % 1000 * 1_000_000)


async def several(shop: Shop, skus: int) -> list[str]:
    """New products."""
    names = [f"sku-{uuid4().hex[:12]}" for _ in range(skus)]
    price = from_minor(1999, "EUR")
    products = [ops.Product(sku=sku, name="A", unit_price=price, weight_grams=400, seller_id="s1") for sku in names]
    await shop.operate("ImportCatalog", ops.ImportCatalogRequest(request_id=str(uuid4()), products=products))
    return names


async def open_several(shop: Shop, names: Sequence[str], units: int, **hours: Timestamp) -> list[OpenSale]:
    offers = [ops.OfferSpec(sku=sku, units=units, limit_per_user=1) for sku in names]
    request = ops.OpenSaleRequest(request_id=str(uuid4()), offers=offers, **hours)
    sale = (await shop.operate("OpenSale", request)).sale
    return [OpenSale(sale.sale_id, each.sku, each.offer_no, each.price_version) for each in sale.offers]


async def persist(shop: Shop, tap: Tap) -> None:
    """Taps at its moment, and again with the same request until there is an answer that will not change."""
    await asyncio.sleep((tap.at_ms - wall_ms()) / 1000)
    tap.sent_ms = wall_ms()

    async def decided() -> bool:
        try:
            answer = await shop.send(tap.user, tap.request, timeout=5)
        except SaleNotOpen as error:
            tap.told.append(error.metadata["state"])
        except SoldOut:
            tap.told.append("SOLD_OUT")
        except (DeadlinePassed, DependencyUnavailable):  # of a busy machine; whether it was taken is asked again
            return False
        else:
            tap.order_id = answer.order_id
            tap.told.append("QUEUED" if answer.acceptance == checkout.ACCEPTANCE_QUEUED else "PENDING")
        tap.answered_ms = tap.answered_ms or wall_ms()
        return tap.told[-1] in ("QUEUED", "SOLD_OUT", "CLOSED")

    await eventually(decided, within=30, every=0.25)


def taps_on(shop: Shop, offers: Sequence[OpenSale], switch: int) -> list[Tap]:
    """The buyers of each SKU, evenly around the moment."""
    step = 2 * AROUND_MS / BUYERS
    moments = [int(switch - AROUND_MS + step * (n + 0.5)) for n in range(BUYERS)]
    return [Tap(f"tap-{n}", sale, shop.request(sale), at_ms) for sale in offers for n, at_ms in enumerate(moments)]


async def assert_audit_holds(shop: Shop, sale_id: str, taps: Sequence[Tap], folder: Path) -> None:
    history = folder / f"history-{sale_id}.jsonl"
    lines = [{"type": "ok", "outcome": "QUEUED", "order_id": tap.order_id} for tap in taps if tap.order_id]
    history.write_text("\n".join(map(json.dumps, lines)))
    told: list[str] = []

    async def holds() -> bool:
        report = await run_audit(shop.settings, sale_id, [history])
        told[:] = [f"{line.invariant} {line.verdict}: {line.detail}" for line in report.lines]
        return all(line.verdict is Verdict.HOLDS for line in report.lines)

    try:
        await eventually(holds, within=20, every=0.5)
    except AssertionError:
        raise AssertionError("\n".join(told)) from None


async def test_one_sale_opens_while_the_other_closes(shop: Shop, tmp_path: Path, figure: Callable[[str], None]) -> None:
    of_first, of_second = await several(shop, 3), await several(shop, 2)
    switch = wall_ms() + SWITCH_MS
    first = await open_several(shop, of_first, PLENTY, close_time=at(switch))
    second = await open_several(shop, of_second, SCARCE, open_time=at(switch))
    closing, opening = taps_on(shop, first, switch), taps_on(shop, second, switch)
    assert wall_ms() < switch - AROUND_MS, "the machine is too slow: the first taps would be late"
    await asyncio.gather(*[persist(shop, tap) for tap in (*closing, *opening)])

    figure(assert_told_by_the_clock(switch, closing, in_time={"QUEUED", "PENDING"}, late={"CLOSED"}))
    figure(assert_told_by_the_clock(switch, opening, in_time={"SCHEDULED"}, late={"QUEUED", "PENDING", "SOLD_OUT"}))
    assert {tap.told[-1] for tap in closing} == {"QUEUED", "CLOSED"}
    assert {tap.told[-1] for tap in opening} == {"QUEUED", "SOLD_OUT"}
    for sale in second:
        assert len([tap for tap in opening if tap.sale == sale and tap.order_id]) == SCARCE
    await assert_by_the_clock(shop, switch, closing, opening)

    again = next(tap for tap in closing if tap.order_id)
    replay = await shop.send(again.user, again.request)
    assert (replay.order_id, replay.acceptance) == (again.order_id, checkout.ACCEPTANCE_QUEUED)
    for tap in (*closing, *opening):
        if tap.order_id:
            await shop.reaches(tap.user, tap.order_id, State.ORDER_STATE_TO_SHIP, within=40)
    await assert_audit_holds(shop, first[0].sale_id, closing, tmp_path)
    await assert_audit_holds(shop, second[0].sale_id, opening, tmp_path)


def assert_told_by_the_clock(switch: int, taps: Sequence[Tap], in_time: set[str], late: set[str]) -> str:
    """What everybody was told first who had their answer before the switch, and who sent after it. Redis' clock is the
    machine's, and so is ours. Who was under way at that moment may have been told either."""
    before = [tap.told[0] for tap in taps if tap.answered_ms < switch]
    after = [tap.told[0] for tap in taps if tap.sent_ms >= switch]
    between = len(taps) - len(before) - len(after)
    # Half of them each, were it not for those under way; a machine that stands still at the switch delays many.
    assert min(len(before), len(after)) > len(taps) // 10
    assert set(before) <= in_time
    assert set(after) <= late
    return f"before the switch {dict(Counter(before))}, after it {dict(Counter(after))}, {between} under way"


async def assert_by_the_clock(shop: Shop, switch: int, closing: Sequence[Tap], opening: Sequence[Tap]) -> None:
    """No reservation of the first sale at or after the moment, none of the second before it, by Redis' own clock."""
    async with redis_pool(shop.settings.redis) as redis:
        stock = RedisStock(redis)
        for taps, opens in ((closing, False), (opening, True)):
            for tap in taps:
                held = await stock.reservation(tap.order_id) if tap.order_id else None
                if held is not None:
                    assert (held.created_ms >= switch) is opens


async def test_a_sale_not_open_yet_says_when_and_a_paused_one_that_it_is(shop: Shop) -> None:
    names = await several(shop, 1)
    opens = wall_ms() + 1_500
    [sale] = await open_several(shop, names, SCARCE, open_time=at(opens), close_time=at(opens + 60_000))
    with pytest.raises(SaleNotOpen) as early:
        await shop.place("ana", sale)
    assert early.value.metadata["state"] == "SCHEDULED"
    assert early.value.metadata["open_time"].endswith("Z")
    assert 0 < (early.value.retry_after or 0) <= 1.5
    ask: dict[str, Any] = {"sale_id": sale.sale_id, "request_id": str(uuid4())}
    assert (await shop.operate("PauseSale", ops.PauseSaleRequest(**ask))).sale.state == ops.SALE_STATE_PAUSED
    await eventually(lambda: wall_ms() > opens)
    with pytest.raises(SaleNotOpen) as paused:
        await shop.place("ana", sale)
    assert (paused.value.metadata["state"], paused.value.retry_after) == ("PAUSED", None)
    ask["request_id"] = str(uuid4())
    assert (await shop.operate("ResumeSale", ops.ResumeSaleRequest(**ask))).sale.state == ops.SALE_STATE_OPEN
    assert (await shop.place("ana", sale)).acceptance == checkout.ACCEPTANCE_QUEUED
