"""Offered load rises through the thresholds of a policy and ebbs: tiers in order, features one after the other, and the
core never notices."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kernel.features import features
from meshkit.identity import Role
from meshkit.rpc.client import call
from peakmesh.checkout.v1 import cart_service_pb2 as cart
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from peakmesh.checkout.v1 import catalog_service_pb2 as catalog
from peakmesh.checkout.v1 import catalog_service_pb2_grpc as catalog_rpc
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.ops.v1 import tier_service_pb2 as tiers
from peakmesh.ops.v1 import tier_service_pb2_grpc as tier_rpc
from peakmesh.ops.v1 import toggle_service_pb2 as toggles
from peakmesh.ops.v1 import toggle_service_pb2_grpc as toggle_rpc
from tests.e2e.feature_calls import CALLS
from tests.e2e.shop import ADDRESS, OpenSale, Shop
from tests.e2e.terminal import peakmesh_says
from tests.polling import eventually
from tools.devstack import Mesh, restart_process

FEATURES = list(features())
HOLD_SECONDS = 2.0
POLICY = """\
window_seconds: 2
rise: step
tiers:
  NORMAL: {hold_seconds: 2}
  BUSY: {hold_seconds: 2, enter_seconds: 1, calm_seconds: 1, enter: {accept_rate: 15}, exit: {accept_rate: 8},
         off: [purchase-history]}
  PEAK: {hold_seconds: 2, enter_seconds: 1, calm_seconds: 1, enter: {accept_rate: 40}, exit: {accept_rate: 25},
         off: [seller-analytics, recommendations]}
  SURVIVAL: {hold_seconds: 2, enter_seconds: 1, calm_seconds: 1, enter: {accept_rate: 80}, exit: {accept_rate: 50},
         off: [avatar-updates, promotions]}
"""
# Orders offered a second, and the tier that they lead to.
RAMP = ((4, "NORMAL"), (28, "BUSY"), (55, "PEAK"), (120, "SURVIVAL"))
EBB = ((2, "NORMAL"),)
SHOPPERS_A_SECOND = 4
# As the policy has it: accepted orders a second.
ENTERED = (("NORMAL → BUSY", 15), ("BUSY → PEAK", 40), ("PEAK → SURVIVAL", 80))


@dataclass
class Crowd:
    """Taps at `rate` a second, and shoppers who search, fill a cart and check out."""

    shop: Shop
    sale: OpenSale
    rate: float = 0.0
    offered: int = 0
    done: int = 0
    shopped: int = 0
    over: bool = False
    failures: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Until it is `over`, and all that was offered has ended."""
        async with asyncio.TaskGroup() as calls:
            calls.create_task(self._shoppers(calls))
            due, numbers = time.monotonic(), count()
            while not self.over:
                number = next(numbers)
                calls.create_task(self._counted(self._tap(f"tap-{uuid4().hex[:6]}-{number}")))
                # A late tap is caught up with, a long stall of this machine is not.
                due = max(due + 1 / self.rate, time.monotonic() - 0.1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _shoppers(self, calls: asyncio.TaskGroup) -> None:
        numbers = count()
        while not self.over:
            number = next(numbers)
            calls.create_task(self._counted(self._shopping(f"cart-{uuid4().hex[:6]}-{number}")))
            await asyncio.sleep(1 / SHOPPERS_A_SECOND)

    async def _counted(self, work: Any) -> None:
        self.offered += 1
        try:
            await work
            self.done += 1
        except Exception as error:
            self.failures.append(repr(error))

    async def _tap(self, user: str) -> None:
        await self.shop.place(user, self.sale)

    async def _shopping(self, user: str) -> None:
        assert await self.finds(user)
        item = cart.AddItemRequest(request_id=str(uuid4()), sale_id=self.sale.sale_id, sku=self.sale.sku, quantity=1)
        await self.core(cart_rpc.CartServiceStub, "AddItem", user, item)
        wish = checkout.CheckoutCartRequest(request_id=str(uuid4()), shipping_address=ADDRESS)
        bought = await self.core(checkout_rpc.CheckoutServiceStub, "CheckoutCart", user, wish)
        assert [line.WhichOneof("outcome") for line in bought.lines] == ["order"]
        self.shopped += 1

    async def finds(self, user: str = "looker") -> bool:
        request = catalog.SearchProductsRequest()
        found = await self.core(catalog_rpc.CatalogServiceStub, "SearchProducts", user, request)
        return len(found.products) > 0

    async def core(self, stub: Any, method: str, user: str, request: Any) -> Any:
        asked = getattr(stub(self.shop.gateway), method)
        return await call(asked, request, timeout=10, dependency="core", metadata=self.shop.metadata(user))


async def operate(shop: Shop, stub: Any, method: str, request: Any) -> Any:
    metadata = shop.metadata("op-tests", Role.OPERATOR)
    return await call(
        getattr(stub(shop.operators), method), request, timeout=5, dependency="governor", metadata=metadata
    )


async def tier(shop: Shop) -> str:
    answer = await operate(shop, tier_rpc.TierServiceStub, "GetTier", tiers.GetTierRequest())
    return tiers.Tier.Name(answer.tier).removeprefix("TIER_")


@pytest.fixture
async def governed(shop: Shop, mesh: Mesh, tmp_path: Path) -> AsyncIterator[Shop]:
    """The mesh's governor in earnest, by the policy of this test."""
    file = tmp_path / "ramp.yaml"
    file.write_text(POLICY)
    env = {"PEAKMESH_GOVERNOR_POLICY": str(file), "PEAKMESH_GOVERNOR_DRY_RUN": "false"}
    await asyncio.to_thread(restart_process, "governor", env, mesh)
    yield shop
    # Also after a failure: other tests want every feature.
    await eventually(partial(stands_at, shop, "NORMAL"), within=20, every=0.2)
    await asyncio.to_thread(restart_process, "governor", None, mesh)


async def stands_at(shop: Shop, name: str) -> bool:
    return await tier(shop) == name


@asynccontextmanager
async def crowded(shop: Shop) -> AsyncIterator[Crowd]:
    crowd = Crowd(shop, await shop.open_sale(units=20_000), rate=RAMP[0][0])
    await eventually(crowd.finds)
    running = asyncio.create_task(crowd.run())
    try:
        yield crowd
        crowd.over = True
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_load_rises_and_ebbs_tiers_follow_and_the_core_never_fails(
    governed: Shop, figure: Callable[[str], None]
) -> None:
    shop, began = governed, time.time()
    async with crowded(shop) as crowd:
        for rate, name in (*RAMP, *EBB):
            crowd.rate, asked = rate, time.monotonic()
            await eventually(partial(stands_at, shop, name), within=20, every=0.1)
            figure(f"{time.time() - began:5.1f} s: {rate} a second, {name} after {time.monotonic() - asked:.1f} s")
            if name == "SURVIVAL":
                for flag in FEATURES:
                    await eventually(partial(CALLS[flag].is_off, shop))
                    figure(f"{time.time() - began:5.1f} s: {flag} is refused at the edge")
                await assert_explained()
        for flag in FEATURES:
            await eventually(partial(CALLS[flag].is_on, shop))
    figure(f"core: {crowd.done} of {crowd.offered} calls succeeded, {crowd.shopped} whole shopping trips")
    assert crowd.failures == []
    assert crowd.done == crowd.offered
    assert crowd.shopped >= 20
    await assert_tiers_in_order(shop, began, figure)
    await assert_features_in_order(shop, began, figure)
    await assert_logs_tell_why()


async def assert_explained() -> None:
    """`peakmesh tier explain` under load: the tier, what is off, and the signal that is over its threshold."""
    told = await peakmesh_says("tier", "explain")
    print(told)
    assert told.startswith("SURVIVAL since ")
    assert f"off: {', '.join(FEATURES)}" in told
    assert "SURVIVAL: accept_rate" in told
    # There is no next tier; this one ends below 50 a second.
    row = re.search(r"accept_rate[\s│≥]+([\d.]+)[\s│]+–[\s│]+50\b", told)
    assert row
    assert float(row[1]) >= 50


async def assert_logs_tell_why() -> None:
    """Signal, value and threshold of each change, by the commands an operator types."""
    tier_log = await peakmesh_says("tier", "log", "--page-size", "6")
    toggle_log = await peakmesh_says("toggles", "log", "--page-size", str(2 * len(FEATURES)))
    print(tier_log, toggle_log, sep="\n")
    ups = [re.search(rf"{move}: accept_rate ([\d.]+) ≥ {limit}\b", tier_log) for move, limit in ENTERED]
    assert all(float(found[1]) >= limit for found, (_, limit) in zip(ups, ENTERED, strict=True) if found)
    assert all(ups)
    # What is older is on the next page, which the last line leads to.
    lines = list(reversed([line for line in toggle_log.splitlines() if " by " in line]))
    assert [line.split()[1:5] for line in lines] == [
        *([flag, "off", "by", "governor:"] for flag in FEATURES),
        *([flag, "default", "by", "governor:"] for flag in reversed(FEATURES)),
    ]
    assert all(re.search(r"tier \w+ → \w+ \(accept_rate [\d.]+ [≥<] \d+", line) for line in lines)


async def assert_tiers_in_order(shop: Shop, began: float, figure: Callable[[str], None]) -> None:
    answer = await operate(shop, tier_rpc.TierServiceStub, "ListTierChanges", tiers.ListTierChangesRequest())
    moves = [each for each in reversed(answer.changes) if each.change_time.ToMilliseconds() / 1000 >= began]
    for each in moves:
        figure(f"{each.change_time.ToMilliseconds() / 1000 - began:5.1f} s: {each.why}")
    names = [tiers.Tier.Name(each.new_tier).removeprefix("TIER_") for each in moves]
    assert names == ["BUSY", "PEAK", "SURVIVAL", "PEAK", "BUSY", "NORMAL"]
    for earlier, later in pairwise(moves):
        apart = (later.change_time.ToMilliseconds() - earlier.change_time.ToMilliseconds()) / 1000
        assert apart >= HOLD_SECONDS - 0.05, "one change in a hold time at most"
    assert {each.signal for each in moves} == {"accept_rate"}
    assert all((each.value >= each.threshold) == (each.new_tier > each.old_tier) for each in moves)


async def assert_features_in_order(shop: Shop, began: float, figure: Callable[[str], None]) -> None:
    request = toggles.ListToggleChangesRequest()
    answer = await operate(shop, toggle_rpc.ToggleServiceStub, "ListToggleChanges", request)
    changes = [each for each in reversed(answer.changes) if each.change_time.ToMilliseconds() / 1000 >= began]
    for each in changes:
        at = each.change_time.ToMilliseconds() / 1000 - began
        figure(f"{at:5.1f} s: {each.flag} {each.what}: {each.why}, {each.signal}")
    assert [(each.flag, each.what) for each in changes] == [
        *((name, "off") for name in FEATURES),
        *((name, "default") for name in reversed(FEATURES)),
    ]
    assert {each.who for each in changes} == {"governor"}
    assert all(each.why.startswith("tier ") and each.signal.startswith("accept_rate ") for each in changes)
