"""OrderOpsService: messages ⇄ operators' use cases."""

from collections.abc import Callable
from typing import Any

from kernel.ops_journal import OpsCall, hash_of
from kernel.order_states import OrderState
from meshkit.clock import wall_ms
from meshkit.rpc.edge import caller
from meshkit.rpc.fields import Fields
from meshkit.rpc.times import timestamp
from order_worker.list_stuck import ListStuck
from order_worker.resolve_order import METHOD, Answer, Resolved, ResolveOrder
from order_worker.stuck import ADVICE, Resolution, StuckOrder
from peakmesh.order.v1 import order_ops_service_pb2 as pb
from peakmesh.order.v1 import order_ops_service_pb2_grpc as rpc


class OrderOpsServicer(rpc.OrderOpsServiceServicer):
    def __init__(self, list_stuck: ListStuck, resolve: ResolveOrder, now_ms: Callable[[], int] = wall_ms) -> None:
        self._list_stuck, self._resolve, self._now_ms = list_stuck, resolve, now_ms

    async def ListStuckOrders(self, request: pb.ListStuckOrdersRequest, _context: Any) -> pb.ListStuckOrdersResponse:
        page = await self._list_stuck(request.page_size, request.page_token)
        orders = [_stuck(each) for each in page.orders]
        return pb.ListStuckOrdersResponse(orders=orders, next_page_token=page.next_token)

    async def ResolveOrder(self, request: pb.ResolveOrderRequest, _context: Any) -> pb.ResolveOrderResponse:
        fields = Fields()
        fields.uuid("request_id", request.request_id)
        fields.uuid("order_id", request.order_id)
        fields.text("reason", request.reason, 1, 200)
        fields.check()
        call = OpsCall(request.request_id.lower(), METHOD, hash_of(request), caller().user_id, self._now_ms())
        return _message(await self._resolve(call, request.order_id.lower(), request.reason))


def _stuck(order: StuckOrder) -> pb.StuckOrder:
    return pb.StuckOrder(
        order_id=order.order_id,
        kind=pb.StuckKind.Value(f"STUCK_KIND_{order.kind}"),
        state=order.state.value,
        steps=order.steps,
        reason=order.reason,
        advice=ADVICE[order.kind],
        user_id=order.user_id,
        sale_id=order.sale_id,
        update_time=timestamp(order.updated_ms),
    )


def _message(resolved: Resolved) -> pb.ResolveOrderResponse:
    return pb.ResolveOrderResponse(
        order_id=resolved.order_id,
        resolution=pb.Resolution.Value(f"RESOLUTION_{resolved.resolution}"),
        state=resolved.state.value,
        reason=resolved.reason,
    )


def _decode(response: bytes) -> Resolved:
    message = pb.ResolveOrderResponse.FromString(response)
    name = pb.Resolution.Name(message.resolution).removeprefix("RESOLUTION_")
    return Resolved(message.order_id, Resolution(name), OrderState(message.state), message.reason)


def acknowledged(response: bytes) -> str:
    """The order that a recorded answer took off the list; empty for any other answer."""
    resolved = _decode(response)
    return resolved.order_id if resolved.resolution is Resolution.ACKNOWLEDGED else ""


RESOLVE_ANSWER = Answer(lambda resolved: _message(resolved).SerializeToString(), _decode)
