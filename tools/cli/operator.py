"""An operator at the operators' listener, as the commands of `order`, `tier` and `toggles` speak for one."""

from typing import Any

from meshkit.identity import Role
from meshkit.rpc.client import call, channel
from meshkit.settings import ProcessSettings
from tools.cli.token import issuer

TIMEOUT_SECONDS = 15.0


async def ask(stub: Any, method: str, request: Any, dependency: str = "governor") -> Any:
    """One call with an operator's token. Raises what the service refuses."""
    settings = ProcessSettings()
    metadata = (("authorization", f"Bearer {issuer(settings).issue('operator-cli', Role.OPERATOR)}"),)
    async with channel(f"127.0.0.1:{settings.ports['operators']}") as to:
        asked = getattr(stub(to), method)
        return await call(asked, request, timeout=TIMEOUT_SECONDS, dependency=dependency, metadata=metadata)
