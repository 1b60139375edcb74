"""OrderService: messages ⇄ use cases."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from kernel.order_ids import offer_of
from meshkit.errors import OrderNotFound
from meshkit.money import from_minor
from meshkit.rpc.edge import caller
from meshkit.rpc.fields import Fields
from meshkit.rpc.times import timestamp
from order_worker.analytics_messages import to_range, to_response
from order_worker.cancel_order import CancelOrder
from order_worker.get_order import GetOrder, Sight, Waiting
from order_worker.list_orders import ListOrders
from order_worker.order_filter import OrderFilter, states_of
from order_worker.order_reads import OrderView
from order_worker.seller_analytics import SellerAnalytics
from order_worker.time_range import millis
from order_worker.watch_order import WatchOrder
from peakmesh.order.v1 import order_pb2 as pb
from peakmesh.order.v1 import order_service_pb2 as api
from peakmesh.order.v1 import order_service_pb2_grpc as rpc

REASON_CHARS = 200


class OrderServicer(rpc.OrderServiceServicer):
    def __init__(
        self,
        get_order: GetOrder,
        list_orders: ListOrders,
        watch_order: WatchOrder,
        cancel_order: CancelOrder,
        seller_analytics: SellerAnalytics,
    ) -> None:
        self._get_order, self._list_orders = get_order, list_orders
        self._watch_order, self._cancel_order = watch_order, cancel_order
        self._seller_analytics = seller_analytics

    async def GetOrder(self, request: api.GetOrderRequest, _context: Any) -> api.GetOrderResponse:
        order_id = _checked_order_id(Fields(), request.order_id)
        return api.GetOrderResponse(order=_shown(await self._get_order(order_id, caller())))

    async def ListOrders(self, request: api.ListOrdersRequest, _context: Any) -> api.ListOrdersResponse:
        which = _filter(request)
        page = await self._list_orders(caller().user_id, request.page_size, request.page_token, which)
        return api.ListOrdersResponse(orders=[_order(each) for each in page.orders], next_page_token=page.next_token)

    async def WatchOrder(self, request: api.WatchOrderRequest, _context: Any) -> AsyncIterator[api.WatchOrderResponse]:
        order_id = _checked_order_id(Fields(), request.order_id)
        async with aclosing(self._watch_order(order_id, caller())) as moves:
            last, order = None, pb.Order()
            async for state, sight in moves:
                if sight is not last:
                    last, order = sight, _shown(sight)
                order.state = pb.OrderState.Value(f"ORDER_STATE_{state}")
                yield api.WatchOrderResponse(order=order)

    async def CancelOrder(self, request: api.CancelOrderRequest, _context: Any) -> api.CancelOrderResponse:
        fields = Fields()
        fields.uuid("request_id", request.request_id)
        fields.text("reason", request.reason, 0, REASON_CHARS)
        order_id = _checked_order_id(fields, request.order_id)
        order = await self._cancel_order(order_id, caller(), request.reason)
        return api.CancelOrderResponse(order=_order(order))

    async def GetSellerAnalytics(
        self, request: api.GetSellerAnalyticsRequest, _context: Any
    ) -> api.GetSellerAnalyticsResponse:
        return to_response(await self._seller_analytics(caller().user_id, *to_range(request)))


def _checked_order_id(fields: Fields, written: str) -> str:
    """As we write it. Raises InvalidFields with whatever `fields` holds; OrderNotFound for a UUID of others."""
    fields.uuid("order_id", written)
    fields.check()
    order_id = written.lower()
    try:
        offer_of(order_id)
    except ValueError:
        raise OrderNotFound("no such order") from None
    return order_id


def _filter(request: api.ListOrdersRequest) -> OrderFilter:
    """Raises InvalidFields."""
    fields = Fields()
    states = states_of(fields, "states", request.states)
    from_ms, until_ms = millis(fields, request, "from_time"), millis(fields, request, "until_time")
    if from_ms is not None and until_ms is not None:
        fields.require(from_ms < until_ms, "until_time", "must be after from_time")
    fields.check()
    return OrderFilter(states, from_ms, until_ms)


def _shown(sight: Sight) -> pb.Order:
    return _waiting(sight) if isinstance(sight, Waiting) else _order(sight)


def _order(view: OrderView) -> pb.Order:
    order = pb.Order(
        order_id=view.order_id,
        sale_id=view.sale_id,
        sku=view.sku,
        quantity=view.quantity,
        state=pb.OrderState.Value(f"ORDER_STATE_{view.shown}"),
        state_reason=view.reason,
        unit_price=from_minor(view.unit_price_minor, view.currency),
        discount=from_minor(view.discount_minor, view.currency),
        accept_time=timestamp(view.accepted_ms),
        update_time=timestamp(view.updated_ms),
        expire_time=timestamp(view.deadline_ms),
        cancelling=view.cancelling,
    )
    if view.shipping_minor is not None:
        total = view.unit_price_minor * view.quantity - view.discount_minor + view.shipping_minor
        order.shipping.CopyFrom(from_minor(view.shipping_minor, view.currency))
        order.total.CopyFrom(from_minor(total, view.currency))
    return order


def _waiting(waiting: Waiting) -> pb.Order:
    """What reservation and offer know; discount and shipping come with the row."""
    held = waiting.reservation
    order = pb.Order(
        order_id=held.order_id,
        quantity=held.quantity,
        state=pb.ORDER_STATE_QUEUED if waiting.queued else pb.ORDER_STATE_PENDING,
        accept_time=timestamp(held.created_ms),
        queue_eta_seconds=waiting.eta_seconds,
    )
    if waiting.offer:
        order.sale_id, order.sku = waiting.offer.sale_id, waiting.offer.sku
        order.unit_price.CopyFrom(from_minor(waiting.offer.price_minor, waiting.offer.currency))
    if held.deadline_ms:
        order.expire_time.CopyFrom(timestamp(held.deadline_ms))
    return order
