"""`peakmesh order stuck|resolve|trace`: an operator looks after single orders."""

from typing import Annotated, Any
from uuid import uuid4

import typer
from google.protobuf.json_format import MessageToDict

from meshkit.errors import OrderNotFound
from meshkit.settings import ProcessSettings
from peakmesh.order.v1 import order_ops_service_pb2 as pb
from peakmesh.order.v1 import order_ops_service_pb2_grpc as rpc
from tools.audit.dead_letters import Letter, open_letters
from tools.audit.trace import Trace, trace_order
from tools.cli.console import AsJson, OrderId, out, print_json, ran, table
from tools.cli.operator import ask

PAGE = 200


def stuck(as_json: AsJson = False) -> None:
    """Orders that need a person, with the reason and what to do. Exit status 1 where there are any."""
    orders, letters = ran(_stuck(ProcessSettings()))
    if as_json:
        listed = [MessageToDict(each, preserving_proto_field_name=True) for each in orders]
        print_json({"orders": listed, "dead_letters": [vars(letter) for letter in letters]})
    else:
        _show(orders, letters)
    raise typer.Exit(1 if orders or letters else 0)


def _show(orders: list[pb.StuckOrder], letters: list[Letter]) -> None:
    if not orders and not letters:
        out.print("no order needs you", highlight=False)
    for each in orders:
        kind = pb.StuckKind.Name(each.kind).removeprefix("STUCK_KIND_")
        since = each.update_time.ToJsonString()
        out.print(each.order_id, kind, each.state, "since", since, each.reason, highlight=False, soft_wrap=True)
        out.print("   ", each.advice, style="dim", highlight=False, soft_wrap=True)
    for letter in letters:
        out.print(letter.key, "DEAD LETTER", letter.place, letter.error, highlight=False, soft_wrap=True, markup=False)
        out.print("   ", letter.advice, style="dim", highlight=False, soft_wrap=True)


async def _stuck(settings: ProcessSettings) -> tuple[list[pb.StuckOrder], list[Letter]]:
    orders: list[pb.StuckOrder] = []
    token = ""
    while True:
        request = pb.ListStuckOrdersRequest(page_size=PAGE, page_token=token)
        page: pb.ListStuckOrdersResponse = await _ask("ListStuckOrders", request)
        orders += page.orders
        token = page.next_page_token
        if not token:
            break
    listed = {each.order_id for each in orders}
    return orders, [letter for letter in await open_letters(settings) if letter.key not in listed]


def resolve(
    order_id: OrderId,
    reason: Annotated[str, typer.Option(help="for the journal: why, in words")],
    request_id: Annotated[str, typer.Option(help="kept over retries; made when empty")] = "",
    as_json: AsJson = False,
) -> None:
    """Do the one safe thing for an order that is stuck, and journal it."""
    request = pb.ResolveOrderRequest(request_id=request_id or str(uuid4()), order_id=order_id, reason=reason)
    done: pb.ResolveOrderResponse = ran(_ask("ResolveOrder", request))
    if as_json:
        print_json(MessageToDict(done, preserving_proto_field_name=True))
    else:
        what = pb.Resolution.Name(done.resolution).removeprefix("RESOLUTION_").lower().replace("_", " ")
        out.print(done.order_id, what, f"(it was {done.state})", highlight=False)


async def _ask(method: str, request: Any) -> Any:
    return await ask(rpc.OrderOpsServiceStub, method, request, dependency="order_worker")


def trace(order_id: OrderId, as_json: AsJson = False) -> None:
    """Everything every system knows of one order, in one timeline. Exit status 2 where a system could not be read."""
    traced = ran(_trace(order_id))
    if as_json:
        print_json(traced.to_json())
    else:
        _show_trace(traced)
    raise typer.Exit(2 if traced.unread else 0)


def _show_trace(traced: Trace) -> None:
    rows = [[event.time, event.source, event.what, event.detail] for event in traced.events]
    table("time", "where", "what", "detail", rows=rows)
    for source, why in traced.unread.items():
        out.print(f"{source} could not be read: {why}", style="yellow", highlight=False, markup=False)


async def _trace(order_id: str) -> Trace:
    traced = await trace_order(ProcessSettings(), order_id)
    if not traced.events and not traced.unread:
        raise OrderNotFound(f"no system knows of {order_id}")
    return traced
