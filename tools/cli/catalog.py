"""`peakmesh catalog import FILE.csv`."""

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from meshkit.errors import InvalidFields
from meshkit.money import CURRENCIES, from_minor
from meshkit.rpc.fields import Fields
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tools.cli.console import AsJson, out, print_json, ran
from tools.sale.operator import operating

app = typer.Typer(help="The catalogue of products.", no_args_is_help=True)
COLUMNS = ("sku", "name", "price", "currency", "weight_grams", "seller_id")


class CatalogFileError(ValueError):
    """Lines that cannot be imported, each with its number and why; nothing was imported."""


@app.callback()
def group() -> None:
    """Keeps `import` a command of the group."""


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help=f"CSV with the columns {', '.join(COLUMNS)}", exists=True, dir_okay=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Add products, or give them a new price; all lines or none."""
    done = ran(import_file(ProcessSettings(), file))
    counts = {"added": done.added, "repriced": done.repriced, "unchanged": done.unchanged}
    if as_json:
        print_json(counts)
    else:
        out.print(" · ".join(f"{number} {what}" for what, number in counts.items()), highlight=False)


async def import_file(settings: ProcessSettings, file: Path) -> pb.ImportCatalogResponse:
    """Raises CatalogFileError before anything is sent."""
    products = read_products(file)
    async with operating(settings) as operator:
        return await operator.import_catalog(products)


def read_products(file: Path) -> list[pb.Product]:
    """Raises CatalogFileError with every bad line."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise CatalogFileError(f"{file.name}: no column {', '.join(missing)} in the first line")
        products: list[pb.Product] = []
        bad: list[str] = []
        seen: dict[str, int] = {}
        for row in rows:
            try:
                products.append(_product(row))
            except InvalidFields as error:
                bad.append(f"line {rows.line_num}: {error.message}")
            first = seen.setdefault(row["sku"], rows.line_num)
            if first != rows.line_num:
                bad.append(f"line {rows.line_num}: sku: stands in line {first} already")
    if not products and not bad:
        bad.append("there is no product in it")
    if bad:
        raise CatalogFileError(f"{file.name}: nothing imported\n" + "\n".join(bad))
    return products


def _product(row: dict[str, str]) -> pb.Product:
    fields = Fields()
    given = {name: (row.get(name) or "").strip() for name in COLUMNS}
    fields.ident("sku", given["sku"])
    fields.text("name", given["name"], 1, 200)
    fields.ident("seller_id", given["seller_id"])
    fields.require(given["currency"] in CURRENCIES, "currency", f"must be one of {', '.join(sorted(CURRENCIES))}")
    minor = _minor(given["price"])
    fields.require(minor is not None and minor > 0, "price", "must be a number above 0 with at most two decimals")
    grams = int(given["weight_grams"]) if given["weight_grams"].isdecimal() else 0
    fields.require(1 <= grams <= 100_000, "weight_grams", "must be between 1 and 100000")
    fields.check()
    price = from_minor(minor or 0, given["currency"])
    return pb.Product(
        sku=given["sku"], name=given["name"], unit_price=price, weight_grams=grams, seller_id=given["seller_id"]
    )


def _minor(text: str) -> int | None:
    try:
        minor = Decimal(text) * 100
        return int(minor) if minor == minor.to_integral_value() and abs(minor) < 10**15 else None
    except (InvalidOperation, ValueError, OverflowError):
        return None
