"""Cart and checkout through Envoy: prices side by side, one order a line, the same answer to a retry."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from grpc import StatusCode

from meshkit.errors import (
    CartEmpty,
    CartFull,
    CartLineNotFound,
    InvalidFields,
    OfferNotFound,
    RequestIdReused,
    RoleRequired,
    Unauthenticated,
)
from meshkit.identity import Role
from meshkit.money import to_minor
from meshkit.rpc.client import call
from peakmesh.checkout.v1 import cart_service_pb2 as pb
from peakmesh.checkout.v1 import cart_service_pb2_grpc as rpc
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from tests.e2e.doomed import Doomed
from tests.e2e.shop import ADDRESS, OpenSale, Shop, State
from tests.polling import eventually
from tools.devstack import Mesh

METHODS: dict[str, Any] = {
    "AddItem": pb.AddItemRequest,
    "UpdateItem": pb.UpdateItemRequest,
    "RemoveItem": pb.RemoveItemRequest,
    "ClearCart": pb.ClearCartRequest,
    "GetCart": pb.GetCartRequest,
}


async def ask(shop: Shop, user: str, method: str, role: Role = Role.BUYER, **fields: Any) -> pb.Cart:
    if method != "GetCart":
        fields = {"request_id": str(uuid4())} | fields
    stub: Any = rpc.CartServiceStub(shop.gateway)
    request = METHODS[method](**fields)
    metadata = shop.metadata(user, role)
    answer = await call(getattr(stub, method), request, timeout=5, dependency="cart", metadata=metadata)
    cart: pb.Cart = answer.cart
    return cart


async def add(shop: Shop, user: str, sale: OpenSale, quantity: int = 1, **fields: Any) -> pb.Cart:
    return await ask(shop, user, "AddItem", sale_id=sale.sale_id, sku=sale.sku, quantity=quantity, **fields)


def wish(**changes: Any) -> checkout.CheckoutCartRequest:
    fields: dict[str, Any] = {"request_id": str(uuid4()), "shipping_address": ADDRESS}
    return checkout.CheckoutCartRequest(**(fields | changes))


async def check_out(shop: Shop, user: str, request: checkout.CheckoutCartRequest) -> checkout.CheckoutCartResponse:
    stub: Any = checkout_rpc.CheckoutServiceStub(shop.gateway)
    metadata = shop.metadata(user)
    answer: checkout.CheckoutCartResponse = await call(
        stub.CheckoutCart, request, timeout=10, dependency="checkout", metadata=metadata
    )
    return answer


def told(answer: checkout.CheckoutCartResponse) -> list[tuple[str, str]]:
    """(sku, order_id or reason) a line."""
    return [(line.sku, line.order.order_id or line.refusal.reason) for line in answer.lines]


@pytest.fixture
def ana() -> str:
    """A buyer of the test's own: a cart outlives it."""
    return f"ana-{uuid4().hex[:12]}"


async def test_from_the_cart_to_the_parcel(shop: Shop, ana: str) -> None:
    phones, cases = await shop.open_sale(units=5, limit=3), await shop.open_sale(units=5, price_minor=500)
    await add(shop, ana, phones, 2)
    cart = await add(shop, ana, cases)
    assert [(line.sku, line.quantity, line.state) for line in cart.lines] == [
        (phones.sku, 2, pb.CART_LINE_STATE_BUYABLE),
        (cases.sku, 1, pb.CART_LINE_STATE_BUYABLE),
    ]
    assert [(to_minor(line.added_unit_price), to_minor(line.unit_price)) for line in cart.lines] == [
        (1999, 1999),
        (500, 500),
    ]
    assert [to_minor(total) for total in cart.totals] == [2 * 1999 + 500]
    assert await ask(shop, ana, "GetCart") == cart
    request = wish()
    first = await check_out(shop, ana, request)
    assert {line.order.acceptance for line in first.lines} == {checkout.ACCEPTANCE_QUEUED}
    assert (await ask(shop, ana, "GetCart")).lines == []
    for line in first.lines:
        order = await shop.reaches(ana, line.order.order_id, State.ORDER_STATE_TO_SHIP)
        assert (order.sku, order.quantity) == (line.sku, line.quantity)
    await add(shop, ana, cases)
    assert told(await check_out(shop, ana, request)) == told(first)
    assert (await shop.offer(phones)).redis.available == 3
    assert (await shop.offer(cases)).redis.available == 4
    with pytest.raises(RequestIdReused):
        await check_out(shop, ana, wish(request_id=request.request_id, voucher_code="OTHER"))


async def test_one_line_is_sold_out_and_the_other_ordered(shop: Shop, ana: str) -> None:
    last, plenty = await shop.open_sale(units=1), await shop.open_sale(units=5)
    await add(shop, ana, last)
    await add(shop, ana, plenty)
    await shop.place("bo", last)
    cart = await ask(shop, ana, "GetCart")
    assert [line.state for line in cart.lines] == [pb.CART_LINE_STATE_SOLD_OUT, pb.CART_LINE_STATE_BUYABLE]
    request = wish()
    first = await check_out(shop, ana, request)
    assert [line.WhichOneof("outcome") for line in first.lines] == ["refusal", "order"]
    refusal = first.lines[0].refusal
    assert (refusal.reason, refusal.final, dict(refusal.metadata)) == ("SOLD_OUT", True, {"available": "0"})
    assert told(await check_out(shop, ana, request)) == told(first)
    assert [line.sku for line in (await ask(shop, ana, "GetCart")).lines] == [last.sku]
    await shop.reaches(ana, first.lines[1].order.order_id, State.ORDER_STATE_TO_SHIP)


async def test_twenty_identical_calls_are_one_order_a_line(shop: Shop, ana: str) -> None:
    sales = [await shop.open_sale(units=50, limit=50) for _ in range(3)]
    for sale in sales:
        await add(shop, ana, sale, 2)
    request = wish()
    answers = await asyncio.gather(*[check_out(shop, ana, request) for _ in range(20)])
    again = await check_out(shop, ana, request)
    assert all(told(answer) == told(again) for answer in answers)
    assert {line.order.acceptance for line in again.lines} == {checkout.ACCEPTANCE_QUEUED}
    assert [(await shop.offer(sale)).redis.available for sale in sales] == [48, 48, 48]
    assert (await ask(shop, ana, "GetCart")).lines == []


async def test_a_process_killed_between_the_orders_and_the_settling(shop: Shop, mesh: Mesh, ana: str) -> None:
    sales = [await shop.open_sale(units=9, limit=9) for _ in range(2)]
    for sale in sales:
        await add(shop, ana, sale, 2)
    doomed = await Doomed.at("after_line_orders", "checkout_svc_0", mesh)
    request, answers = wish(), list[checkout.CheckoutCartResponse]()

    async def died() -> bool:
        # Every call passes the point; Envoy gives it to one of two processes, and to the other when that one dies.
        answers.append(await check_out(shop, ana, request))
        return doomed.has_died()

    await eventually(died, within=20)
    answers.append(await check_out(shop, ana, request))
    assert all(told(answer) == told(answers[0]) for answer in answers)
    assert [line.order.acceptance for line in answers[0].lines] == [checkout.ACCEPTANCE_QUEUED] * 2
    assert [(await shop.offer(sale)).redis.available for sale in sales] == [7, 7]
    assert (await ask(shop, ana, "GetCart")).lines == []
    await doomed.is_back()


async def test_changes_are_made_once_and_in_bounds(shop: Shop, ana: str) -> None:
    sale = await shop.open_sale(units=5)
    item: dict[str, Any] = {"sale_id": sale.sale_id, "sku": sale.sku}
    request_id = str(uuid4())
    carts = await asyncio.gather(*[add(shop, ana, sale, 2, request_id=request_id) for _ in range(10)])
    assert {cart.lines[0].quantity for cart in carts} == {2}
    with pytest.raises(RequestIdReused):
        await add(shop, ana, sale, 3, request_id=request_id)
    with pytest.raises(CartFull):
        await add(shop, ana, sale, 99)
    assert (await ask(shop, ana, "UpdateItem", **item, quantity=5)).lines[0].quantity == 5
    assert (await ask(shop, ana, "RemoveItem", **item)).lines == []
    with pytest.raises(CartLineNotFound):
        await ask(shop, ana, "UpdateItem", **item, quantity=5)
    with pytest.raises(OfferNotFound):
        await ask(shop, ana, "AddItem", sale_id=sale.sale_id, sku="no-such-sku", quantity=1)
    await add(shop, ana, sale)
    assert (await ask(shop, ana, "ClearCart")).lines == []
    with pytest.raises(CartEmpty):
        await check_out(shop, ana, wish())
    assert (await shop.offer(sale)).redis.available == 5


@pytest.mark.parametrize(
    ("method", "field", "changes"),
    [
        ("AddItem", "request_id", {"request_id": ""}),
        ("AddItem", "sale_id", {"sale_id": "{x}"}),
        ("AddItem", "sku", {"sku": "x" * 65}),
        ("AddItem", "quantity", {"quantity": 0}),
        ("AddItem", "quantity", {"quantity": 2**31 - 1}),
        ("UpdateItem", "quantity", {"quantity": -1}),
        ("UpdateItem", "request_id", {"request_id": "{}"}),
        ("RemoveItem", "sku", {"sku": "a|b"}),
        ("RemoveItem", "request_id", {"request_id": "x"}),
        ("ClearCart", "request_id", {"request_id": ""}),
    ],
)
async def test_a_bad_field_is_named(shop: Shop, ana: str, method: str, field: str, changes: dict[str, Any]) -> None:
    item = {"sale_id": "sale-1", "sku": "sku-1"} if method.endswith("Item") else {}
    units = {"quantity": 1} if method in ("AddItem", "UpdateItem") else {}
    with pytest.raises(InvalidFields) as raised:
        await ask(shop, ana, method, **(item | units | changes))
    assert [name for name, _ in raised.value.violations] == [field]
    assert raised.value.code is StatusCode.INVALID_ARGUMENT


async def test_a_bad_checkout_buys_nothing(shop: Shop, ana: str) -> None:
    sale = await shop.open_sale(units=5)
    cart = await add(shop, ana, sale)
    for field, changes in (
        ("request_id", {"request_id": ""}),
        ("voucher_code", {"voucher_code": "a b"}),
        ("require_promotion", {"require_promotion": True}),
        ("shipping_address.recipient", {"shipping_address": None}),
    ):
        with pytest.raises(InvalidFields) as raised:
            await check_out(shop, ana, wish(**changes))
        assert field in [name for name, _ in raised.value.violations]
    with pytest.raises(Unauthenticated):
        await ask(shop, "{7:0}", "GetCart")
    with pytest.raises(RoleRequired):
        await ask(shop, ana, "GetCart", role=Role.OPERATOR)
    assert await ask(shop, ana, "GetCart") == cart
    assert (await shop.offer(sale)).redis.available == 5
