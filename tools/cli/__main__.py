"""`peakmesh`: run, watch and audit a mesh."""

import typer

from meshkit.log import setup_logging
from tools.cli import (
    audit,
    cart,
    catalog,
    clean,
    fault,
    order,
    product,
    sale,
    stack,
    stock,
    tier,
    toggles,
    token,
    voucher,
)

app = typer.Typer(name="peakmesh", help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.logs)
app.command()(clean.clean)
app.command()(audit.audit)
app.add_typer(sale.app, name="sale")
app.add_typer(stock.app, name="stock")
app.add_typer(cart.app, name="cart")
app.add_typer(product.app, name="product")
app.add_typer(order.app, name="order")
app.add_typer(voucher.app, name="voucher")
app.add_typer(tier.app, name="tier")
app.add_typer(toggles.app, name="toggles")
app.add_typer(token.app, name="token")
app.add_typer(catalog.app, name="catalog")
app.add_typer(fault.app, name="fault")


def main() -> None:
    # For the process and not in a command: tests call commands, and what is set up here outlives them.
    setup_logging("peakmesh", "warning")
    app()


if __name__ == "__main__":
    main()
