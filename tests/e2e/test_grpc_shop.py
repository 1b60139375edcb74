"""A buyer's whole way over gRPC, with the stubs alone: search, cart, checkout, watch to TO_SHIP, list, cancel."""

from typing import Any
from uuid import uuid4

from meshkit.money import to_minor
from peakmesh.checkout.v1 import cart_service_pb2 as cart
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from peakmesh.checkout.v1 import catalog_service_pb2 as catalog
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as catalog_rpc
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.order.v1 import order_service_pb2 as order
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from tests.e2e.shop import ADDRESS, Shop, State
from tests.polling import eventually

LIFE = ["PENDING", "QUEUED", "CREATED", "PAYING", "PAID", "TO_SHIP"]


async def test_from_search_to_cancel(shop: Shop) -> None:
    user = f"bea-{uuid4().hex[:8]}"
    carts: Any = cart_rpc.CartServiceStub(shop.gateway)
    shelf: Any = catalog_rpc.CatalogServiceStub(shop.gateway)
    till: Any = checkout_rpc.CheckoutServiceStub(shop.gateway)
    orders: Any = order_rpc.OrderServiceStub(shop.gateway)
    said: dict[str, Any] = {"metadata": shop.metadata(user), "timeout": 30}
    sale = await shop.open_sale(units=3)
    found: list[catalog.Product] = []

    async def can_be_bought() -> bool:
        query = catalog.SearchProductsRequest(query=sale.sku, stock_state=catalog.STOCK_STATE_IN_STOCK)
        found[:] = (await shelf.SearchProducts(query, **said)).products
        return bool(found)

    await eventually(can_be_bought)
    [product] = found
    wish: dict[str, Any] = {"sale_id": product.sale_id, "sku": product.sku, "quantity": 1}
    added = await carts.AddItem(cart.AddItemRequest(request_id=str(uuid4()), **wish), **said)
    [line] = added.cart.lines
    assert (line.sku, line.state, line.added_unit_price) == (sale.sku, cart.CART_LINE_STATE_BUYABLE, product.unit_price)
    buy = checkout.CheckoutCartRequest(request_id=str(uuid4()), shipping_address=ADDRESS)
    [bought] = (await till.CheckoutCart(buy, **said)).lines
    assert bought.order.acceptance == checkout.ACCEPTANCE_QUEUED
    order_id = bought.order.order_id
    watch = orders.WatchOrder(order.WatchOrderRequest(order_id=order_id), **said)
    moves = [State.Name(move.order.state).removeprefix("ORDER_STATE_") async for move in watch]
    assert moves == LIFE[LIFE.index(moves[0]) :]
    seen = (await orders.GetOrder(order.GetOrderRequest(order_id=order_id), **said)).order
    assert to_minor(seen.total) == to_minor(product.unit_price) + to_minor(seen.shipping)
    listed = await orders.ListOrders(order.ListOrdersRequest(), **said)
    assert [each.order_id for each in listed.orders] == [order_id]
    give_up = order.CancelOrderRequest(order_id=order_id, request_id=str(uuid4()), reason="changed my mind")
    assert (await orders.CancelOrder(give_up, **said)).order.order_id == order_id
    await shop.reaches(user, order_id, State.ORDER_STATE_REFUNDED)
    assert (await shop.offer(sale)).database.available == 3
