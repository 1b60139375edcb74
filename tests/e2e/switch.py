"""An operator who switches features by hand, and which processes have heard of it."""

import asyncio
from functools import partial
from typing import Any
from uuid import uuid4

from meshkit.identity import Role
from meshkit.rpc.client import call
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1 import toggle_service_pb2 as pb
from peakmesh.ops.v1 import toggle_service_pb2_grpc as toggle_rpc
from tests.e2e.feature_calls import CALLS, counted
from tests.e2e.shop import Shop
from tests.polling import eventually

# All that follow the governor's flags.
PROCESSES = (
    *("checkout_0", "checkout_1", "order_consume", "order_serve_0", "order_serve_1"),
    *("payment", "promo", "engagement"),
)


class Switch:
    """An operator with a hand on the features; `clear` leaves all as they were."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._stub = shop, toggle_rpc.ToggleServiceStub(shop.operators)
        self._touched: set[str] = set()

    async def _ask(self, method: str, request: Any) -> Any:
        metadata = self._shop.metadata("op-tests", Role.OPERATOR)
        return await call(getattr(self._stub, method), request, timeout=5, dependency="governor", metadata=metadata)

    async def set(self, flag: str, on: bool) -> None:
        self._touched.add(flag)
        request = pb.SetToggleRequest(request_id=str(uuid4()), flag=flag, on=on, reason="an e2e test")
        await self._ask("SetToggle", request)

    async def changes(self) -> list[str]:
        """The last that were made of any feature, by their entries in the journal."""
        page = await self._ask("ListToggleChanges", pb.ListToggleChangesRequest(page_size=5))
        return [each.entry_id for each in page.changes]

    async def clear(self) -> None:
        for flag in self._touched:
            await self._ask("ClearToggle", pb.ClearToggleRequest(request_id=str(uuid4()), flag=flag, reason="over"))
            await eventually(partial(CALLS[flag].is_on, self._shop))


async def processes_that_have_it(settings: ProcessSettings, flag: str, on: bool) -> list[str]:
    pattern = rf'peakmesh_feature_on\{{feature="{flag}"\}}'
    found = await asyncio.gather(*(asyncio.to_thread(counted, settings, each, pattern) for each in PROCESSES))
    return [name for name, value in zip(PROCESSES, found, strict=True) if value == float(on)]
