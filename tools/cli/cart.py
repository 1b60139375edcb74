"""`peakmesh cart add|update|show|remove|clear|checkout`: a buyer's cart, from a terminal."""

from typing import Annotated, Any
from uuid import uuid4

import typer
from google.protobuf.json_format import MessageToDict
from google.type.money_pb2 import Money

from meshkit.money import to_minor
from meshkit.settings import ProcessSettings
from peakmesh.checkout.v1 import cart_service_pb2 as pb
from peakmesh.checkout.v1 import cart_service_pb2_grpc as rpc
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout_pb
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.order.v1 import order_pb2
from tools.cli.buyer import ADDRESS, User, ask
from tools.cli.console import AsJson, out, print_json, ran, table

app = typer.Typer(help="Fill a buyer's cart and check it out.", no_args_is_help=True)
Sale = Annotated[str, typer.Option(help="as `sale open` named it")]
Sku = Annotated[str, typer.Option(help="the product")]
RequestId = Annotated[str, typer.Option(help="kept over retries; made when empty")]


@app.command()
def add(
    sale: Sale,
    sku: Sku,
    user: User = "demo-buyer",
    quantity: Annotated[int, typer.Option(help="units that come on top")] = 1,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Put units into the cart."""
    request = pb.AddItemRequest(request_id=request_id or str(uuid4()), sale_id=sale, sku=sku, quantity=quantity)
    _change(user, "AddItem", request, as_json)


@app.command()
def update(
    sale: Sale,
    sku: Sku,
    quantity: Annotated[int, typer.Option(help="units the line is to have")],
    user: User = "demo-buyer",
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Set a line's units, and agree to its current price."""
    request = pb.UpdateItemRequest(request_id=request_id or str(uuid4()), sale_id=sale, sku=sku, quantity=quantity)
    _change(user, "UpdateItem", request, as_json)


@app.command()
def remove(
    sale: Sale, sku: Sku, user: User = "demo-buyer", request_id: RequestId = "", as_json: AsJson = False
) -> None:
    """Take a line out."""
    request = pb.RemoveItemRequest(request_id=request_id or str(uuid4()), sale_id=sale, sku=sku)
    _change(user, "RemoveItem", request, as_json)


@app.command()
def clear(user: User = "demo-buyer", request_id: RequestId = "", as_json: AsJson = False) -> None:
    """Take every line out."""
    _change(user, "ClearCart", pb.ClearCartRequest(request_id=request_id or str(uuid4())), as_json)


@app.command()
def show(user: User = "demo-buyer", as_json: AsJson = False) -> None:
    """The cart, with the prices when added beside those of now."""
    _change(user, "GetCart", pb.GetCartRequest(), as_json)


@app.command()
def checkout(
    user: User = "demo-buyer",
    request_id: RequestId = "",
    voucher: Annotated[str, typer.Option(help="a voucher's code, asked for each line")] = "",
    country: Annotated[str, typer.Option(help="where it goes: ISO 3166-1 alpha-2")] = "DE",
    as_json: AsJson = False,
) -> None:
    """Buy what is in the cart, one order a line; repeat with the same --request-id what is not final."""
    request = checkout_pb.CheckoutCartRequest(
        request_id=request_id or str(uuid4()),
        shipping_address=order_pb2.ShippingAddress(**ADDRESS, country_code=country),
        voucher_code=voucher,
    )
    answer = ran(ask(ProcessSettings(), user, checkout_rpc.CheckoutServiceStub, "CheckoutCart", request))
    if as_json:
        print_json({"request_id": request.request_id} | MessageToDict(answer, preserving_proto_field_name=True))
        return
    table("sku", "sale", "units", "outcome", "order or why not", rows=[_outcome(line) for line in answer.lines])
    if not all(_final(line) for line in answer.lines):
        out.print(f"not final: peakmesh cart checkout --user {user} --request-id {request.request_id}", soft_wrap=True)


def _change(user: str, method: str, request: Any, as_json: bool) -> None:
    answer = ran(ask(ProcessSettings(), user, rpc.CartServiceStub, method, request))
    if as_json:
        print_json(MessageToDict(answer.cart, preserving_proto_field_name=True))
        return
    rows = [
        [
            line.sku,
            line.sale_id,
            str(line.quantity),
            _price(line.added_unit_price),
            _price(line.unit_price) if line.HasField("unit_price") else "–",
            _price(line.total) if line.HasField("total") else "–",
            pb.CartLineState.Name(line.state).removeprefix("CART_LINE_STATE_"),
        ]
        for line in answer.cart.lines
    ]
    table("sku", "sale", "units", "price when added", "price now", "total", "state", rows=rows)
    out.print("to pay:", ", ".join(_price(total) for total in answer.cart.totals) or "nothing", highlight=False)


def _price(money: Money) -> str:
    return f"{to_minor(money) / 100:.2f} {money.currency_code}"


def _outcome(line: checkout_pb.CheckoutLine) -> list[str]:
    if line.HasField("order"):
        name = checkout_pb.Acceptance.Name(line.order.acceptance).removeprefix("ACCEPTANCE_")
        return [line.sku, line.sale_id, str(line.quantity), name, line.order.order_id]
    return [line.sku, line.sale_id, str(line.quantity), line.refusal.reason, line.refusal.message]


def _final(line: checkout_pb.CheckoutLine) -> bool:
    if line.HasField("order"):
        return line.order.acceptance == checkout_pb.ACCEPTANCE_QUEUED
    return line.refusal.final
