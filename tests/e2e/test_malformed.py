"""Malformed input on every public RPC, over gRPC and JSON: from a valid request of an open sale one field at a time is
spoilt; the refusal names that field and no other, and nothing is reserved. The methods and fields come from the
contracts: a new one is in here by itself."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from envoy.public_api import Binding
from tests.e2e.shop import Shop
from tests.e2e.spoils import Spoil, as_json, spoils
from tests.e2e.telling import PUBLIC, Told, fill_cart, over_grpc, over_json, patient, standing
from tests.e2e.valid_requests import ALLOWED, VALID, Ground
from tests.polling import eventually

# What a well-formed request may be told of the state of the shop.
WELL_FORMED = {"OK", "NOT_FOUND", "FAILED_PRECONDITION", "ALREADY_EXISTS"}
each_rpc = pytest.mark.parametrize("bound", PUBLIC, ids=lambda bound: bound.method.name)


Say = Callable[[Ground, Spoil | None], Awaitable[Told]]


async def each_is_told(shop: Shop, bound: Binding, ground: Ground, say: Say, found: Sequence[Spoil]) -> None:
    """First what must be refused, all of it, then what is allowed, and last the request that nothing is wrong with."""
    before = await standing(shop, ground)
    wrong = [each for each in found if not ALLOWED.get(each.key, _nothing)(each.bare)]
    for spoil in wrong:
        told = await patient(lambda spoil=spoil: say(ground, spoil))  # type: ignore[misc]
        assert told.code == "INVALID_ARGUMENT", f"{spoil}: {told}"
        assert told.names(spoil.told), f"{spoil}: {told}"
    assert await standing(shop, ground) == before
    for spoil in [each for each in found if each not in wrong]:
        if bound.method.name == "CheckoutCart":  # what the one before bought has left the cart
            await fill_cart(shop, ground)
        told = await patient(lambda spoil=spoil: say(ground, spoil))  # type: ignore[misc]
        assert told.code in WELL_FORMED, f"{spoil}: {told}"
    await fill_cart(shop, ground)

    async def is_served() -> bool:  # GetProduct once the catalogue has it
        return (await say(ground, None)).code == "OK"

    await eventually(is_served)


def _nothing(_: Any) -> bool:
    return False


@each_rpc
async def test_over_grpc(shop: Shop, ground: Ground, bound: Binding) -> None:
    async def say(ground: Ground, spoil: Spoil | None) -> Told:
        valid = VALID[bound.method.name](ground)
        return await over_grpc(shop, bound, ground, spoil.on(valid) if spoil else valid.SerializeToString())

    found = [each for each in spoils(bound.method.input_type) if each.only != "json"]
    await each_is_told(shop, bound, ground, say, found)


@each_rpc
async def test_over_json(shop: Shop, ground: Ground, bound: Binding) -> None:
    async def say(ground: Ground, spoil: Spoil | None) -> Told:
        valid = as_json(VALID[bound.method.name](ground))
        return await over_json(shop, bound, ground, spoil.on_json(valid) if spoil else valid)

    found = [each for each in spoils(bound.method.input_type) if each.only != "grpc"]
    in_path = re.findall(r"\{(\w+)\}", bound.path)
    await each_is_told(shop, bound, ground, say, [each for each in found if _can_be_said(bound, each, in_path)])


def _can_be_said(bound: Binding, spoil: Spoil, in_path: Sequence[str]) -> bool:
    """All in a path or a query is text; what leaves a path without its segment, or as no path, is tested below."""
    value = spoil.bare
    if spoil.path[0] in in_path:
        return isinstance(value, str) and value not in ("", "..", "../..", "a\x00b")
    return bool(bound.body) or not spoil.only or isinstance(value, str | float)
