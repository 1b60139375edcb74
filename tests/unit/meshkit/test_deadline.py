"""Until when somebody waits for a call's answer."""

import asyncio
from collections.abc import Mapping

import pytest

from meshkit.errors import DeadlinePassed
from meshkit.rpc import deadline
from meshkit.rpc.deadline import HEADER


async def passes(metadata: Mapping[str, str], left: float | None, wait: float = 0) -> bool:
    """Whether the call may still have effects after `wait` seconds, in a context of its own as the server gives it."""

    async def call() -> bool:
        deadline.begin(metadata, left)
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=wait)
        try:
            deadline.check()
        except DeadlinePassed:
            return False
        return True

    return await asyncio.create_task(call())


@pytest.mark.parametrize(("routed", "left", "in_time"), [
    ("3000", None, True),
    ("3000", 10.0, True),
    ("20", 10.0, False),
    ("3000", 0.02, False),
    (None, 0.02, False),
    (None, 10.0, True),
    (None, None, True),
    ("soon", 10.0, True),
    ("-1", 10.0, True),
    ("9" * 5000, 10.0, True),
])  # fmt: skip
async def test_the_sooner_of_the_routes_and_the_clients_holds(
    routed: str | None, left: float | None, in_time: bool
) -> None:
    assert await passes({} if routed is None else {HEADER: routed}, left, wait=0.05) is in_time


async def test_a_call_that_nobody_waits_for_is_not_begun_and_ends_with_its_context() -> None:
    with pytest.raises(DeadlinePassed):
        await asyncio.create_task(passes({}, 0.0))
    with pytest.raises(DeadlinePassed):
        await asyncio.create_task(passes({HEADER: "0"}, None))
    deadline.check()
