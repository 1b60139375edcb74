"""A feature is switched off for the mesh: Envoy answers, processes hear of it, and it outlives who switched it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from kernel.features import disabled, features
from meshkit.errors import FeatureDisabled, PeakmeshError, PromotionUnavailable
from meshkit.rpc.client import channel
from meshkit.settings import ProcessSettings
from order_worker.serve_app import running as serving_orders
from order_worker.settings import Settings as OrderSettings
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion
from tests.e2e.feature_calls import CALLS, counted
from tests.e2e.shop import Shop
from tests.e2e.switch import PROCESSES, Switch, processes_that_have_it
from tests.e2e.terminal import peakmesh_json, peakmesh_says
from tests.polling import eventually
from tools.devstack import Mesh
from tools.devstack.single import start_process, stop_process

HISTORY = "purchase-history"
VOUCHER = "WELCOME10"


def test_there_is_a_call_of_every_feature() -> None:
    assert {flag: (each.rpc,) for flag, each in CALLS.items()} == {
        name: feature.rpcs for name, feature in features().items()
    }


@pytest.mark.parametrize("flag", CALLS)
async def test_a_feature_that_is_off_costs_python_nothing(
    shop: Shop, switch: Switch, flag: str, figure: Callable[[str], None]
) -> None:
    feature, settings, told = CALLS[flag], shop.settings, disabled(flag)
    for ask in (feature.json, feature.grpc_web):
        before = await feature.handled(settings)
        assert (await ask(shop)).status == 200
        assert await feature.handled(settings) == before + 1
    await switch.set(flag, on=False)
    await eventually(lambda: feature.is_off(shop), within=1)
    before, began = await feature.handled(settings), time.monotonic()
    for _ in range(100):
        with pytest.raises(FeatureDisabled) as raised:
            await feature.grpc(shop)
    took = time.monotonic() - began
    assert (raised.value.message, raised.value.metadata) == (told.message, {"feature": flag})
    assert raised.value.retry_after == 30.0
    for _ in range(20):
        answer = await feature.json(shop)
        assert (answer.status, answer.reason, answer.retry_after) == (503, "FEATURE_DISABLED", "30")
        assert (answer.body["code"], answer.body["message"]) == (14, told.message)
        assert {"metadata": {"feature": flag}}.items() <= answer.body["details"][0].items()
        web = await feature.grpc_web(shop)
        assert (web.headers["grpc-status"], web.headers["grpc-message"]) == ("14", told.message)
        assert web.headers["grpc-status-details-bin"]
    reached = await feature.handled(settings) - before
    figure(f"{flag}: 140 calls refused by Envoy, {took * 10:.2f} ms each over gRPC; {reached:.0f} reached a process")
    assert reached == 0


@pytest.mark.parametrize("flag", CALLS)
async def test_a_change_reaches_envoy_and_every_process_within_a_second(
    shop: Shop, switch: Switch, flag: str, figure: Callable[[str], None]
) -> None:
    feature = CALLS[flag]
    for on in (False, True):
        began = time.monotonic()
        await switch.set(flag, on)

        async def everywhere(on: bool = on) -> bool:
            return await processes_that_have_it(shop.settings, flag, on) == list(PROCESSES)

        await eventually(everywhere, within=1)
        told = time.monotonic() - began

        async def at_the_edge(on: bool = on) -> bool:
            return await feature.is_on(shop) is on

        await eventually(at_the_edge, within=1)
        took = time.monotonic() - began
        figure(f"{flag} {'on' if on else 'off'}: {len(PROCESSES)} processes after {told:.3f} s, Envoy by {took:.3f} s")
        assert took < 1


@pytest.mark.parametrize("flag", CALLS)
async def test_a_call_inside_the_mesh_is_refused_by_each_process(shop: Shop, switch: Switch, flag: str) -> None:
    feature, ports = CALLS[flag], shop.settings.ports
    async with AsyncExitStack() as stack:
        inside = [await stack.enter_async_context(channel(f"127.0.0.1:{ports[each]}")) for each in feature.processes]
        for to in inside:
            await feature.grpc(shop, to)
        await switch.set(flag, on=False)
        for to in inside:
            await eventually(partial(feature.is_off, shop, to), within=1)
            with pytest.raises(FeatureDisabled) as raised:
                await feature.grpc(shop, to)
            assert (raised.value.metadata, raised.value.retry_after) == ({"feature": flag}, 30.0)


async def quotes(settings: ProcessSettings) -> float:
    pattern = r'grpc_server_started_total\{[^}]*grpc_method="(?:QuotePromotion|FreeHolds)"[^}]*\}'
    return await asyncio.to_thread(counted, settings, "promo", pattern)


async def test_promotions_that_are_off_are_asked_nothing_and_everybody_buys_at_list_price(
    shop: Shop, switch: Switch, figure: Callable[[str], None]
) -> None:
    sale, numbers = await shop.open_sale(units=1_000), iter(range(1_000))

    async def state() -> "promotion.PromotionState.ValueType":
        answer = await shop.place(f"u{next(numbers)}", sale, voucher_code=VOUCHER)
        return answer.promotion.state

    async def applied() -> bool:
        return await state() == promotion.PROMOTION_STATE_APPLIED

    # Of a busy machine promotions have 50 ms.
    await eventually(applied, every=0.2)
    assert await quotes(shop.settings) > 0
    await switch.set("promotions", on=False)

    async def everywhere() -> bool:
        return await processes_that_have_it(shop.settings, "promotions", on=False) == list(PROCESSES)

    await eventually(everywhere, within=1)
    before = await quotes(shop.settings)
    assert {await state() for _ in range(20)} == {promotion.PROMOTION_STATE_UNAVAILABLE}
    with pytest.raises(PromotionUnavailable, match="switched off") as raised:
        await shop.place("picky", sale, voucher_code=VOUCHER, require_promotion=True)
    assert (raised.value.metadata, raised.value.retry_after) == ({"feature": "promotions"}, 30.0)
    assert await quotes(shop.settings) == before
    began = time.monotonic()
    await switch.set("promotions", on=True)
    await eventually(applied, within=5, every=0.1)
    figure(f"promotions were back in an order {time.monotonic() - began:.2f} s after they were switched on")


async def test_an_operator_lists_sets_clears_and_reads_why(shop: Shop, switch: Switch) -> None:
    flag = "recommendations"

    async def ls() -> dict[str, Any]:
        return {each["flag"]: each for each in await peakmesh_json("toggles", "ls")}

    assert list(await ls()) == list(features())
    said = await peakmesh_says("toggles", "set", flag, "off", "--reason", "a drill", "--for", "10m")
    assert said.strip() == f"{flag} is off by operator:operator-cli"
    try:
        await eventually(lambda: CALLS[flag].is_off(shop), within=1)
        listed = (await ls())[flag]
        assert (listed["on"], listed["who"], listed["why"]) == (False, "operator:operator-cli", "a drill")
        [row] = [line for line in (await peakmesh_says("toggles", "ls")).splitlines() if flag in line]
        assert "off" in row
        assert "a drill" in row
        assert features()[flag].when_off in row
    finally:
        await peakmesh_says("toggles", "clear", flag, "--reason", "over")
    await eventually(lambda: CALLS[flag].is_on(shop), within=1)
    assert (await ls())[flag]["on"]
    newest, before, *_ = (await peakmesh_says("toggles", "log", "--page-size", "5")).splitlines()
    assert newest.endswith(f"{flag} automatic by operator:operator-cli: over")
    assert f"{flag} off until 20" in before
    assert before.endswith("by operator:operator-cli: a drill")
    await peakmesh_says("toggles", "set", "checkout", "off", "--reason", "a mistake", status=1)


async def test_governor_and_redis_killed_leave_the_last_state_and_a_new_process_takes_the_defaults(
    shop: Shop, switch: Switch, mesh: Mesh, servers: Mesh
) -> None:
    await switch.set(HISTORY, on=False)
    await eventually(lambda: CALLS[HISTORY].is_off(shop), within=1)
    stop_process("governor", mesh, kill=True)
    stop_process("redis", servers, kill=True)
    try:
        gone = time.monotonic()
        await eventually(lambda: time.monotonic() - gone > 2)
        assert await CALLS[HISTORY].is_off(shop)
        assert await processes_that_have_it(shop.settings, HISTORY, on=False) == list(PROCESSES)
        await assert_a_new_process_takes_the_defaults(shop, mesh)
    finally:
        start_process("redis", servers)
        start_process("governor", mesh)
    # What Redis kept is what the governor tells again.
    assert await CALLS[HISTORY].is_off(shop)
    assert await processes_that_have_it(shop.settings, HISTORY, on=False) == list(PROCESSES)
    await switch.set(HISTORY, on=True)
    await eventually(lambda: CALLS[HISTORY].is_on(shop))


async def assert_a_new_process_takes_the_defaults(shop: Shop, mesh: Mesh) -> None:
    """Role `serve`, by its own composition root, on the mesh's dead governor and dead Redis."""
    given = mesh.settings
    settings = OrderSettings(
        port_base=given.port_base + 7,
        run_dir=given.run_dir,
        db_url=given.database,
        redis_url=given.redis,
        kafka_bootstrap=given.kafka,
        drain_seconds=0,
    )
    async with serving_orders(settings) as port, channel(f"127.0.0.1:{port}") as to:
        try:
            await CALLS[HISTORY].grpc(shop, to)
        except PeakmeshError as error:
            raise AssertionError(f"a process without a governor refused: {error.reason}") from error
