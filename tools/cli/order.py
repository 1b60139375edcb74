"""`peakmesh order …`: what a buyer does, from a terminal, and what an operator does for single orders."""

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

import grpc
import typer
from google.protobuf.json_format import MessageToDict

from meshkit.errors import DependencyUnavailable
from meshkit.identity import Role
from meshkit.money import to_minor
from meshkit.rpc.client import channel, typed_error
from meshkit.settings import ProcessSettings
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.order.v1 import order_pb2, order_service_pb2
from peakmesh.order.v1 import order_service_pb2_grpc as order_rpc
from tools.cli import order_desk
from tools.cli.buyer import ADDRESS, User, ask
from tools.cli.console import AsJson, OrderId, out, print_json, ran, table
from tools.cli.token import issuer
from tools.sale.operator import operating

app = typer.Typer(help="Place and follow orders as a buyer; look after them as an operator.", no_args_is_help=True)
for _command in (order_desk.trace, order_desk.stuck, order_desk.resolve):
    app.command()(_command)


@app.command()
def place(
    sale: Annotated[str, typer.Option(help="as `sale open` named it")],
    sku: Annotated[str, typer.Option(help="what to buy")],
    user: User = "demo-buyer",
    quantity: Annotated[int, typer.Option(help="units")] = 1,
    request_id: Annotated[str, typer.Option(help="kept over retries; made when empty")] = "",
    price_version: Annotated[int, typer.Option(help="the price that was seen; 0: as it is now")] = 0,
    voucher: Annotated[str, typer.Option(help="a voucher's code")] = "",
    country: Annotated[str, typer.Option(help="where it goes: ISO 3166-1 alpha-2")] = "DE",
    as_json: AsJson = False,
) -> None:
    """Buy, and print the order_id."""
    settings = ProcessSettings()
    request = checkout.PlaceOrderRequest(
        sale_id=sale,
        sku=sku,
        quantity=quantity,
        request_id=request_id or str(uuid4()),
        shipping_address=order_pb2.ShippingAddress(**ADDRESS, country_code=country),
        price_version=price_version,
        voucher_code=voucher,
    )
    answer = ran(_place(settings, user, request))
    if as_json:
        print_json(MessageToDict(answer, preserving_proto_field_name=True))
    else:
        # In one write: `ORDER=$(peakmesh order place … | head -1)` closes the pipe after the first line, and a second
        # write would then end this command with exit code 1.
        out.print(f"{answer.order_id}\n{answer.message}", highlight=False)


async def _place(settings: ProcessSettings, user: str, request: checkout.PlaceOrderRequest) -> Any:
    if request.price_version == 0:
        async with operating(settings) as operator:
            offers = (await operator.sale(request.sale_id)).offers
        request.price_version = next((offer.price_version for offer in offers if offer.sku == request.sku), 1)
    return await ask(settings, user, checkout_rpc.CheckoutServiceStub, "PlaceOrder", request)


@app.command()
def get(order_id: OrderId, user: User = "demo-buyer", as_json: AsJson = False) -> None:
    """One order, and how far it is."""
    request = order_service_pb2.GetOrderRequest(order_id=order_id)
    answer = ran(ask(ProcessSettings(), user, order_rpc.OrderServiceStub, "GetOrder", request))
    _show([answer.order], as_json)


@app.command("list")
def list_(
    user: User = "demo-buyer",
    page_size: Annotated[int, typer.Option(help="at most so many")] = 20,
    page_token: Annotated[str, typer.Option(help="from the page before")] = "",
    as_json: AsJson = False,
) -> None:
    """A buyer's orders, newest first."""
    request = order_service_pb2.ListOrdersRequest(page_size=page_size, page_token=page_token)
    answer = ran(ask(ProcessSettings(), user, order_rpc.OrderServiceStub, "ListOrders", request))
    if as_json:
        print_json(MessageToDict(answer, preserving_proto_field_name=True))
        return
    _show(list(answer.orders), as_json)
    if answer.next_page_token:
        out.print("more:", "--page-token", answer.next_page_token, highlight=False)


@app.command()
def watch(
    order_id: OrderId,
    user: User = "demo-buyer",
    timeout: Annotated[float, typer.Option(help="seconds until it gives up")] = 600.0,
    as_json: AsJson = False,
) -> None:
    """Each move of an order as it happens, to its end."""
    ran(_watch(ProcessSettings(), user, order_id, timeout, as_json))


async def _watch(settings: ProcessSettings, user: str, order_id: str, timeout: float, as_json: bool) -> None:
    """Watches again where a process stopped in between; what was told already is passed over."""
    metadata = (("authorization", f"Bearer {issuer(settings).issue(user, Role.BUYER)}"),)
    request = order_service_pb2.WatchOrderRequest(order_id=order_id)
    told: tuple[int, bool] | None = None
    ended = False
    async with asyncio.timeout(timeout), channel(f"127.0.0.1:{settings.ports['gateway']}") as to:
        stub: Any = order_rpc.OrderServiceStub(to)
        while not ended:
            try:
                async for answer in stub.WatchOrder(request, metadata=metadata):
                    if (answer.order.state, answer.order.cancelling) != told:
                        _tell_move(answer.order, as_json)
                    told = (answer.order.state, answer.order.cancelling)
                ended = True
            except grpc.aio.AioRpcError as error:
                refusal = typed_error(error, "the gateway")
                # A process that restarts is no reason to stop watching; a first look that reaches nobody is.
                nobody = told is None and isinstance(refusal, DependencyUnavailable)
                if refusal.retry_after is None or nobody:
                    raise refusal from None
                await asyncio.sleep(refusal.retry_after)


def _tell_move(order: order_pb2.Order, as_json: bool) -> None:
    if as_json:
        print(json.dumps(MessageToDict(order, preserving_proto_field_name=True)), flush=True)
        return
    state = order_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_")
    words = " ".join([state, "(being cancelled)" if order.cancelling else "", order.state_reason])
    out.print(f"{datetime.now().astimezone():%H:%M:%S.%f}"[:12], words.strip(), highlight=False)


@app.command()
def cancel(
    order_id: OrderId,
    reason: Annotated[str, typer.Option(help="why, in your words")] = "",
    user: User = "demo-buyer",
    request_id: Annotated[str, typer.Option(help="kept over retries; made when empty")] = "",
    as_json: AsJson = False,
) -> None:
    """Give an order up: at once before its charge, by a refund after it."""
    request = order_service_pb2.CancelOrderRequest(
        order_id=order_id, reason=reason, request_id=request_id or str(uuid4())
    )
    answer = ran(ask(ProcessSettings(), user, order_rpc.OrderServiceStub, "CancelOrder", request))
    _show([answer.order], as_json)


def _show(orders: list[order_pb2.Order], as_json: bool) -> None:
    if as_json:
        print_json([MessageToDict(order, preserving_proto_field_name=True) for order in orders])
        return
    rows = [
        [
            order.order_id,
            order_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_"),
            order.sku,
            str(order.quantity),
            f"{to_minor(order.total) / 100:.2f} {order.total.currency_code}" if order.HasField("total") else "–",
            order.state_reason,
        ]
        for order in orders
    ]
    table("order", "state", "sku", "units", "total", "why", rows=rows)
