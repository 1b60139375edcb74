"""`peakmesh voucher list`: what a buyer may take off a price."""

from typing import Any

import typer
from google.protobuf.json_format import MessageToDict

from meshkit.money import to_minor
from meshkit.settings import ProcessSettings
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from tools.cli.buyer import User, ask
from tools.cli.console import AsJson, print_json, ran, table

app = typer.Typer(help="Vouchers, as a buyer sees them.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps `list` a command of the group."""


@app.command("list")
def list_(
    user: User = "demo-buyer",
    as_json: AsJson = False,
) -> None:
    """The vouchers a buyer could use now, with the uses they have left."""
    vouchers = ran(_all(ProcessSettings(), user))
    if as_json:
        print_json([MessageToDict(each, preserving_proto_field_name=True) for each in vouchers])
        return
    rows = [
        [
            each.code,
            _benefit(each),
            _amount(each.min_spend) if each.HasField("min_spend") else "–",
            str(each.remaining_uses) if each.HasField("remaining_uses") else "any",
            each.expire_time.ToDatetime().strftime("%Y-%m-%d %H:%M"),
            " ".join([*each.skus, *each.sale_ids]) or "all",
            " ".join(each.stacks_with),
        ]
        for each in vouchers
    ]
    table("code", "off", "from", "uses left", "until (UTC)", "for", "with", rows=rows)


async def _all(settings: ProcessSettings, user: str) -> list[pb.Voucher]:
    found: list[pb.Voucher] = []
    request = pb.ListVouchersRequest(page_size=200)
    while True:
        page = await ask(settings, user, rpc.PromotionServiceStub, "ListVouchers", request)
        found += page.vouchers
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


def _benefit(voucher: pb.Voucher) -> str:
    if voucher.WhichOneof("benefit") == "fixed":
        return _amount(voucher.fixed)
    return f"{voucher.percent_basis_points / 100:g} %"


def _amount(money: Any) -> str:
    return f"{to_minor(money) / 100:.2f} {money.currency_code}"
