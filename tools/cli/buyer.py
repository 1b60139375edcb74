"""A buyer at the gateway, as the commands of `order` and `cart` speak for one."""

from typing import Annotated, Any

import typer

from meshkit.identity import Role
from meshkit.rpc.client import call, channel
from meshkit.settings import ProcessSettings
from tools.cli.token import issuer

User = Annotated[str, typer.Option("--user", help="who buys")]
TIMEOUT_SECONDS = 10.0
ADDRESS = {"recipient": "A Buyer", "street": "High Street 1", "city": "Berlin", "postal_code": "10115"}


async def ask(settings: ProcessSettings, user: str, stub: Any, method: str, request: Any) -> Any:
    """One call with the user's token. Raises what the service refuses."""
    metadata = (("authorization", f"Bearer {issuer(settings).issue(user, Role.BUYER)}"),)
    async with channel(f"127.0.0.1:{settings.ports['gateway']}") as to:
        asked = getattr(stub(to), method)
        return await call(asked, request, timeout=TIMEOUT_SECONDS, dependency="the gateway", metadata=metadata)
