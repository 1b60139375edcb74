"""OrderService: messages ⇄ reads."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kernel.order_ids import offer_of
from meshkit.errors import OrderNotFound
from meshkit.money import from_minor
from meshkit.rpc.edge import caller
from meshkit.rpc.fields import Fields
from order_worker.get_order import GetOrder, Waiting
from order_worker.list_orders import ListOrders
from order_worker.order_reads import OrderView
from peakmesh.order.v1 import order_pb2 as pb
from peakmesh.order.v1 import order_service_pb2 as api
from peakmesh.order.v1 import order_service_pb2_grpc as rpc


class OrderServicer(rpc.OrderServiceServicer):
    def __init__(self, get_order: GetOrder, list_orders: ListOrders) -> None:
        self._get_order, self._list_orders = get_order, list_orders

    async def GetOrder(self, request: api.GetOrderRequest, _context: Any) -> api.GetOrderResponse:
        fields = Fields()
        fields.uuid("order_id", request.order_id)
        fields.check()
        try:
            offer_of(request.order_id)
        except ValueError:
            # A UUID that this mesh did not make.
            raise OrderNotFound("no such order") from None
        found = await self._get_order(request.order_id, caller())
        return api.GetOrderResponse(order=_waiting(found) if isinstance(found, Waiting) else _order(found))

    async def ListOrders(self, request: api.ListOrdersRequest, _context: Any) -> api.ListOrdersResponse:
        page = await self._list_orders(caller().user_id, request.page_size, request.page_token)
        return api.ListOrdersResponse(orders=[_order(each) for each in page.orders], next_page_token=page.next_token)


def _order(view: OrderView) -> pb.Order:
    state = "PAYING" if view.paying else view.state.value
    order = pb.Order(
        order_id=view.order_id,
        sale_id=view.sale_id,
        sku=view.sku,
        quantity=view.quantity,
        state=pb.OrderState.Value(f"ORDER_STATE_{state}"),
        state_reason=view.reason,
        unit_price=from_minor(view.unit_price_minor, view.currency),
        discount=from_minor(view.discount_minor, view.currency),
        accept_time=_time(view.accepted_ms),
        update_time=_time(view.updated_ms),
        expire_time=_time(view.deadline_ms),
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
        accept_time=_time(held.created_ms),
        queue_eta_seconds=waiting.eta_seconds,
    )
    if waiting.offer:
        order.sale_id, order.sku = waiting.offer.sale_id, waiting.offer.sku
        order.unit_price.CopyFrom(from_minor(waiting.offer.price_minor, waiting.offer.currency))
    if held.deadline_ms:
        order.expire_time.CopyFrom(_time(held.deadline_ms))
    return order


def _time(millis: int) -> Timestamp:
    return Timestamp(seconds=millis // 1000, nanos=millis % 1000 * 1_000_000)
