"""Vouchers with a budget through the whole mesh: what payments do to them, who may list them, and the audit."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from kernel.vouchers import keys
from kernel.vouchers.records import HoldState, read_hold
from meshkit.errors import InvalidFields, PromotionRefused, PromotionUnavailable, RoleRequired, Unauthenticated
from meshkit.identity import Role
from meshkit.money import to_minor
from meshkit.redis_client import redis_pool
from meshkit.rpc.client import call
from peakmesh.checkout.v1.checkout_service_pb2 import PlaceOrderRequest, PlaceOrderResponse
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from tests.e2e.shop import OpenSale, Shop, State
from tests.polling import eventually
from tools.audit.report import Verdict
from tools.audit.run import run_audit

CODE = "TENCLUB"  # 10 %, with a budget, three uses a user


async def grant(shop: Shop, order_id: str) -> HoldState | None:
    async with redis_pool(shop.settings.redis) as redis:
        raw: Any = await redis.hget(keys.holds(CODE), order_id)
    return read_hold(raw).state if raw else None


async def left(shop: Shop, user: str, role: Role = Role.BUYER, **fields: Any) -> dict[str, pb.Voucher]:
    stub: Any = rpc.PromotionServiceStub(shop.gateway)
    metadata = shop.metadata(user, role)
    request = pb.ListVouchersRequest(**fields)
    answer = await call(stub.ListVouchers, request, timeout=5, dependency="promo", metadata=metadata)
    return {each.code: each for each in answer.vouchers}


async def discounted(shop: Shop, user: str, sale: OpenSale) -> PlaceOrderResponse:
    """Buys at a discount or not at all."""
    return await insisting(shop, user, shop.request(sale, voucher_code=CODE, require_promotion=True))


async def insisting(shop: Shop, user: str, request: PlaceOrderRequest) -> PlaceOrderResponse:
    """As often as it takes: of a busy machine promotions have 50 ms."""
    answers: list[PlaceOrderResponse] = []

    async def bought() -> bool:
        try:
            answers.append(await shop.send(user, request))
        except PromotionUnavailable:
            return False
        return True

    await eventually(bought, every=0.5)
    return answers[0]


async def test_a_paid_order_commits_its_grant_a_failed_one_gives_it_back(shop: Shop, tmp_path: Path) -> None:
    rich, poor = f"rich-{uuid4().hex[:8]}", f"poor-{uuid4().hex[:8]}"
    sale = await shop.open_sale(units=5, limit=5)
    await shop.set_balance(0, poor)
    assert (await left(shop, rich))[CODE].remaining_uses == 3
    answers = {user: await discounted(shop, user, sale) for user in (rich, poor)}
    assert {to_minor(each.promotion.discount) for each in answers.values()} == {199}
    order = await shop.reaches(rich, answers[rich].order_id, State.ORDER_STATE_TO_SHIP)
    assert (order.discount.units, order.discount.nanos) == (1, 990_000_000)
    await shop.reaches(poor, answers[poor].order_id, State.ORDER_STATE_PAYMENT_FAILED)

    async def settled() -> bool:
        both = [await grant(shop, answers[user].order_id) for user in (rich, poor)]
        return both == [HoldState.COMMITTED, None]

    await eventually(settled)
    assert ((await left(shop, rich))[CODE].remaining_uses, (await left(shop, poor))[CODE].remaining_uses) == (2, 3)
    history = tmp_path / "history.jsonl"
    lines = [{"type": "ok", "outcome": "QUEUED", "order_id": each.order_id} for each in answers.values()]
    history.write_text("\n".join(map(json.dumps, lines)))
    told: list[str] = []

    async def holds() -> bool:
        report = await run_audit(shop.settings, sale.sale_id, [history])
        told[:] = [f"{line.invariant} {line.verdict}: {line.detail}" for line in report.lines]
        return {line.verdict for line in report.lines} == {Verdict.HOLDS}

    try:
        await eventually(holds, within=20, every=0.5)
    except AssertionError:
        raise AssertionError("\n".join(told)) from None


async def test_a_user_has_three_uses_and_a_retry_is_none(shop: Shop) -> None:
    user = f"fan-{uuid4().hex[:8]}"
    sale = await shop.open_sale(units=9, limit=9)
    request = shop.request(sale, voucher_code=CODE, require_promotion=True)
    first = await insisting(shop, user, request)
    again = await insisting(shop, user, request)
    assert (again.order_id, again.promotion) == (first.order_id, first.promotion)
    for _ in range(2):
        await discounted(shop, user, sale)
    with pytest.raises(PromotionRefused, match="as often as you may"):
        await discounted(shop, user, sale)
    assert CODE not in await left(shop, user)


async def test_the_list_is_public_and_quotes_and_holds_are_not(shop: Shop) -> None:
    for role in (Role.BUYER, Role.SELLER, Role.SERVICE):
        assert "WELCOME10" in await left(shop, "ana", role)
    with pytest.raises(RoleRequired):
        await left(shop, "ana", Role.OPERATOR)
    with pytest.raises(InvalidFields, match="page_token"):
        await left(shop, "ana", page_token="no token of ours")
    stub: Any = rpc.PromotionServiceStub(shop.gateway)
    with pytest.raises(Unauthenticated):
        await call(stub.ListVouchers, pb.ListVouchersRequest(), timeout=5, dependency="promo")
    for method, request in ((stub.QuotePromotion, pb.QuotePromotionRequest()), (stub.FreeHolds, pb.FreeHoldsRequest())):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await method(request, timeout=5, metadata=shop.metadata("ana", Role.SERVICE))
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
