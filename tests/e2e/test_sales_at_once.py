"""Two sales with five SKUs between them, one opening at the moment the other closes: the audit holds for each."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.stock.redis_adapter import RedisStock
from meshkit.clock import wall_ms
from meshkit.errors import SaleNotOpen, SoldOut
from meshkit.money import from_minor
from meshkit.redis_client import redis_pool
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.ops.v1 import ops_service_pb2 as ops
from tests.e2e.shop import OpenSale, Shop, State
from tests.polling import eventually
from tools.audit.report import Verdict
from tools.audit.run import run_audit

SWITCH_MS = 2_500
UNITS, BUYERS = 6, 8


@dataclass
class Tap:
    """One buyer of one SKU, and what they were told on the way."""

    user: str
    sale: OpenSale
    request: checkout.PlaceOrderRequest
    told: list[str] = field(default_factory=list)
    order_id: str = ""


def at(millis: int) -> Timestamp:
    return Timestamp(seconds=millis // 1000, nanos=millis % 1000 * 1_000_000)


async def open_several(shop: Shop, skus: int, **hours: Timestamp) -> list[OpenSale]:
    names = [f"sku-{uuid4().hex[:12]}" for _ in range(skus)]
    price = from_minor(1999, "EUR")
    products = [ops.Product(sku=sku, name="A", unit_price=price, weight_grams=400, seller_id="s1") for sku in names]
    await shop.operate("ImportCatalog", ops.ImportCatalogRequest(request_id=str(uuid4()), products=products))
    offers = [ops.OfferSpec(sku=sku, units=UNITS, limit_per_user=1) for sku in names]
    request = ops.OpenSaleRequest(request_id=str(uuid4()), offers=offers, **hours)
    sale = (await shop.operate("OpenSale", request)).sale
    return [OpenSale(sale.sale_id, each.sku, each.offer_no, each.price_version) for each in sale.offers]


async def persist(shop: Shop, tap: Tap) -> None:
    """Taps again with the same request until there is an answer that will not change."""

    async def decided() -> bool:
        try:
            answer = await shop.send(tap.user, tap.request, timeout=5)
        except SaleNotOpen as error:
            tap.told.append(error.metadata["state"])
            return error.metadata["state"] == "CLOSED"
        except SoldOut:
            tap.told.append("SOLD_OUT")
            return True
        tap.order_id = answer.order_id
        queued = answer.acceptance == checkout.ACCEPTANCE_QUEUED
        tap.told.append("QUEUED" if queued else "PENDING")
        return queued

    await eventually(decided, within=30, every=0.1)


def taps_on(shop: Shop, offers: Sequence[OpenSale], prefix: str) -> list[Tap]:
    return [Tap(f"{prefix}-{n}", sale, shop.request(sale)) for sale in offers for n in range(BUYERS)]


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


async def test_one_sale_opens_while_the_other_closes(shop: Shop, tmp_path: Path) -> None:
    switch = wall_ms() + SWITCH_MS
    first = await open_several(shop, 3, close_time=at(switch))
    second = await open_several(shop, 2, open_time=at(switch))
    early, waiting, late = taps_on(shop, first, "early"), taps_on(shop, second, "wait"), taps_on(shop, first, "late")
    crowd = [asyncio.create_task(persist(shop, tap)) for tap in (*early, *waiting)]
    await eventually(lambda: wall_ms() > switch + 200, within=10)
    crowd += [asyncio.create_task(persist(shop, tap)) for tap in late]
    await asyncio.gather(*crowd)

    assert {tap.told[-1] for tap in early} == {"QUEUED", "SOLD_OUT"}
    assert {tuple(tap.told) for tap in late} == {("CLOSED",)}
    assert {tap.told[0] for tap in waiting} == {"SCHEDULED"}
    assert {tap.told[-1] for tap in waiting} == {"QUEUED", "SOLD_OUT"}
    for sale in (*first, *second):
        bought = [tap for tap in (*early, *waiting) if tap.sale == sale and tap.order_id]
        assert len(bought) == UNITS
    await assert_by_the_clock(shop, switch, early, waiting)

    again = next(tap for tap in early if tap.order_id)
    replay = await shop.send(again.user, again.request)
    assert (replay.order_id, replay.acceptance) == (again.order_id, checkout.ACCEPTANCE_QUEUED)
    for tap in (*early, *waiting):
        if tap.order_id:
            await shop.reaches(tap.user, tap.order_id, State.ORDER_STATE_TO_SHIP, within=40)
    await assert_audit_holds(shop, first[0].sale_id, early, tmp_path)
    await assert_audit_holds(shop, second[0].sale_id, waiting, tmp_path)


async def assert_by_the_clock(shop: Shop, switch: int, early: Sequence[Tap], waiting: Sequence[Tap]) -> None:
    """No reservation of the first sale at or after the moment, none of the second before it, by Redis' own clock."""
    async with redis_pool(shop.settings.redis) as redis:
        stock = RedisStock(redis)
        for taps, opens in ((early, False), (waiting, True)):
            for tap in taps:
                held = await stock.reservation(tap.order_id) if tap.order_id else None
                if held is not None:
                    assert (held.created_ms >= switch) is opens


async def test_a_sale_not_open_yet_says_when_and_a_paused_one_that_it_is(shop: Shop) -> None:
    opens = wall_ms() + 1_500
    [sale] = await open_several(shop, 1, open_time=at(opens), close_time=at(opens + 60_000))
    with pytest.raises(SaleNotOpen) as early:
        await shop.place("ana", sale)
    assert early.value.metadata["state"] == "SCHEDULED"
    assert early.value.metadata["open_time"].endswith("Z")
    assert 0 < (early.value.retry_after or 0) <= 1.5
    ask: dict[str, Any] = {"sale_id": sale.sale_id, "request_id": str(uuid4())}
    assert (await shop.operate("PauseSale", ops.PauseSaleRequest(**ask))).sale.state == ops.SALE_STATE_PAUSED
    await eventually(lambda: wall_ms() > opens, within=5)
    with pytest.raises(SaleNotOpen) as paused:
        await shop.place("ana", sale)
    assert (paused.value.metadata["state"], paused.value.retry_after) == ("PAUSED", None)
    ask["request_id"] = str(uuid4())
    assert (await shop.operate("ResumeSale", ops.ResumeSaleRequest(**ask))).sale.state == ops.SALE_STATE_OPEN
    assert (await shop.place("ana", sale)).acceptance == checkout.ACCEPTANCE_QUEUED
