"""`peakmesh product search|show`: what a buyer finds, from a terminal."""

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict

from meshkit.money import to_minor
from meshkit.settings import ProcessSettings
from peakmesh.checkout.v1 import catalog_service_pb2 as pb
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as rpc
from tools.cli.buyer import User, ask
from tools.cli.console import AsJson, print_json, ran, table

app = typer.Typer(help="Find products as a buyer.", no_args_is_help=True)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="words; empty lists all products")] = "",
    page_size: Annotated[int, typer.Option(help="at most so many", min=1)] = 20,
    in_stock: Annotated[bool, typer.Option("--in-stock", help="only what can be bought now")] = False,
    user: User = "demo-buyer",
    as_json: AsJson = False,
) -> None:
    """Products that match, best first."""
    state = pb.STOCK_STATE_IN_STOCK if in_stock else pb.STOCK_STATE_UNSPECIFIED
    request = pb.SearchProductsRequest(query=query, stock_state=state)
    _show(ran(_pages(ProcessSettings(), user, request, page_size)), as_json)


async def _pages(
    settings: ProcessSettings, user: str, request: pb.SearchProductsRequest, most: int
) -> list[pb.Product]:
    """A page may be short though more follow."""
    found: list[pb.Product] = []
    while True:
        request.page_size = min(most - len(found), 100)
        answer = await ask(settings, user, rpc.CatalogServiceStub, "SearchProducts", request)
        found += answer.products
        request.page_token = answer.next_page_token
        if not request.page_token or len(found) >= most:
            return found


@app.command()
def show(
    sku: Annotated[str, typer.Argument(help="the product")], user: User = "demo-buyer", as_json: AsJson = False
) -> None:
    """One product, and whether it can be had."""
    request = pb.GetProductRequest(sku=sku)
    answer = ran(ask(ProcessSettings(), user, rpc.CatalogServiceStub, "GetProduct", request))
    _show([answer.product], as_json)


def _show(products: list[pb.Product], as_json: bool) -> None:
    if as_json:
        print_json([MessageToDict(each, preserving_proto_field_name=True) for each in products])
        return
    rows = [
        [
            each.sku,
            each.name,
            f"{to_minor(each.unit_price) / 100:.2f} {each.unit_price.currency_code}",
            pb.StockState.Name(each.stock_state).removeprefix("STOCK_STATE_"),
            each.sale_id or "–",
        ]
        for each in products
    ]
    table("sku", "name", "price", "stock", "sale", rows=rows)
