"""`peakmesh token`: identities of this mesh."""

from typing import Annotated

import typer

from meshkit.identity import Role, TokenIssuer
from meshkit.rpc.fields import Fields
from meshkit.settings import ProcessSettings
from tools.cli.console import told

app = typer.Typer(help="Identities of this mesh.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps `issue` a command of the group."""


@app.command()
def issue(
    sub: Annotated[str, typer.Option(help="who it is: the user_id")],
    role: Annotated[Role, typer.Option(help="what they may do")] = Role.BUYER,
    ttl: Annotated[float, typer.Option(help="seconds until it expires", min=1)] = 3600,
) -> None:
    """Print a token, and nothing else."""
    with told():
        fields = Fields()
        fields.ident("--sub", sub)
        fields.check()
        print(issuer(ProcessSettings()).issue(sub, role, ttl))


def issuer(settings: ProcessSettings) -> TokenIssuer:
    """Raises FileNotFoundError with what to do about it."""
    if not (settings.identity_dir / "private.pem").exists():
        raise FileNotFoundError("this mesh has no key yet: `peakmesh up` makes one")
    return TokenIssuer(settings.identity_dir)
