"""`peakmesh sale open|list|show|pause|resume|close`: an operator's desk."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tools.cli.console import AsJson, SaleId, out, print_json, ran, table, told
from tools.cli.sale_watch import watch_sale
from tools.cli.times import parse_time
from tools.cli.token import issuer
from tools.sale.operator import Operator, operating

ONE = "one for all, or one a SKU"


def open_(
    sku: Annotated[list[str], typer.Option(help="a product of the catalogue; repeat it for several")],
    units: Annotated[list[int], typer.Option(help=f"units on sale; {ONE}")],
    limit: Annotated[list[int] | None, typer.Option(help=f"units a user may have, 1 if not given; {ONE}")] = None,
    opens: Annotated[str, typer.Option(help="when: +10m, or 2026-11-27T00:00:00+01:00; default: now")] = "",
    closes: Annotated[str, typer.Option(help="when, as --opens; default: when it is closed")] = "",
    as_json: AsJson = False,
) -> None:
    """Open a sale, now or later, and print its sale_id."""
    with told():
        request = opening(sku, units, limit or [1], opens, closes, datetime.now(UTC))
    sale = ran(_operate("open", request))
    print_json(as_dict(sale)) if as_json else print(sale.sale_id)


def opening(
    skus: Sequence[str], units: Sequence[int], limits: Sequence[int], opens: str, closes: str, now: datetime
) -> pb.OpenSaleRequest:
    """Raises ValueError, naming the option."""
    shared = {"--units": units, "--limit": limits}
    for option, given in shared.items():
        if len(given) not in (1, len(skus)):
            raise ValueError(f"{option}: {ONE}; there are {len(skus)} SKUs and {len(given)} numbers")
    each = [list(given) * len(skus) if len(given) == 1 else given for given in shared.values()]
    offers = [pb.OfferSpec(sku=a, units=b, limit_per_user=c) for a, b, c in zip(skus, *each, strict=True)]
    request = pb.OpenSaleRequest(offers=offers)
    if opens:
        request.open_time.FromDatetime(parse_time(opens, now, "--opens"))
    if closes:
        request.close_time.FromDatetime(parse_time(closes, now, "--closes"))
    return request


def close(sale_id: SaleId, as_json: AsJson = False) -> None:
    """Take no more orders; those accepted go on."""
    show_sale(ran(_operate("close_sale", sale_id)), as_json)


def pause(sale_id: SaleId, as_json: AsJson = False) -> None:
    """Take no orders until `resume`; those accepted go on."""
    show_sale(ran(_operate("pause_sale", sale_id)), as_json)


def resume(sale_id: SaleId, as_json: AsJson = False) -> None:
    """Take orders again, within the sale's hours."""
    show_sale(ran(_operate("resume_sale", sale_id)), as_json)


def show(
    sale_id: SaleId,
    watch: Annotated[bool, typer.Option("--watch", help="each second, until Ctrl-C or until all is settled")] = False,
    as_json: AsJson = False,
) -> None:
    """A sale's stock, in the database and in Redis."""
    if watch:
        watch_sale(ProcessSettings(), sale_id, as_json)
    else:
        show_sale(ran(_operate("sale", sale_id)), as_json)


def list_(
    page_size: Annotated[int, typer.Option(help="at most so many")] = 20,
    page_token: Annotated[str, typer.Option(help="from the page before")] = "",
    as_json: AsJson = False,
) -> None:
    """Every sale, newest first."""
    page = ran(_operate("sales", page_size, page_token))
    if as_json:
        print_json(as_dict(page))
        return
    table("sale", "state", "opens", "closes", "skus", "units", "sold", rows=[_row(sale) for sale in page.sales])
    if page.next_page_token:
        out.print("more:", "--page-token", page.next_page_token, highlight=False)


def _row(sale: pb.Sale) -> list[str]:
    sums = sum(offer.units for offer in sale.offers), sum(offer.database.sold for offer in sale.offers)
    times = [when(sale, "open_time"), when(sale, "close_time")]
    return [sale.sale_id, state_of(sale), *times, str(len(sale.offers)), *map(str, sums)]


async def _operate(method: str, *arguments: Any) -> Any:
    settings = ProcessSettings()
    issuer(settings)
    async with operating(settings) as operator:
        return await getattr(Operator, method)(operator, *arguments)


def as_dict(message: pb.Sale | pb.ListSalesResponse) -> dict[str, Any]:
    shown: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return shown


def state_of(sale: pb.Sale) -> str:
    return pb.SaleState.Name(sale.state).removeprefix("SALE_STATE_")


def when(sale: pb.Sale, name: str) -> str:
    return getattr(sale, name).ToDatetime(UTC).isoformat(timespec="seconds") if sale.HasField(name) else "–"  # type: ignore[arg-type]


def show_sale(sale: pb.Sale, as_json: bool) -> None:
    if as_json:
        print_json(as_dict(sale))
        return
    out.print(sale.sale_id, state_of(sale), when(sale, "open_time"), "to", when(sale, "close_time"), highlight=False)
    rows = [
        [offer.sku, str(offer.units), where, *(str(getattr(stock, name)) for name in ("available", "reserved", "sold"))]
        for offer in sale.offers
        for where, stock in (("SQL", offer.database), ("Redis", offer.redis))
    ]
    table("sku", "units", "in", "available", "reserved", "sold", rows=rows)
    lost = [offer.sku for offer in sale.offers if offer.redis_lost]
    if lost:
        words = f"Redis lost the stock of {', '.join(lost)}: it sells nothing until"
        out.print(f"{words} `peakmesh stock rebuild --sale {sale.sale_id} --reason TEXT`", style="red", soft_wrap=True)
