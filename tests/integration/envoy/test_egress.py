"""The breakers of the egress, tripped by faults injected on the inbound hops."""

import time
from collections.abc import AsyncIterator
from itertools import count

import grpc
import pytest

from tests.integration.envoy.mesh import QUOTE_PROMOTION, Mesh, raw, timed, upstream
from tests.polling import eventually

RECOMMEND = "/peakmesh.engagement.v1.RecommendationService/Recommend"
PROVIDER_METHODS = {
    "wallet": "/peakmesh.provider.v1.WalletService/Debit",
    "shipping": "/peakmesh.provider.v1.ShippingService/QuoteShipping",
    "invoice": "/peakmesh.provider.v1.InvoiceService/IssueInvoice",
    "loyalty": "/peakmesh.provider.v1.LoyaltyService/GrantCoins",
}


@pytest.fixture
async def egress(mesh: Mesh) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the egress, promo and providers answering behind it; faults and ejections gone again at the end."""
    async with upstream(mesh.ports["promo"]), upstream(mesh.ports["providers"]), mesh.channel("egress") as channel:
        await mesh.healthy("promo", 1)
        yield channel
        for target in ("promo", *PROVIDER_METHODS):
            mesh.runtime(**{f"chaos__{target}__{kind}": 0 for kind in ("abort_percent", "delay_percent")})
        for cluster in ("promo", *PROVIDER_METHODS):
            gauge = f"cluster.{cluster}.outlier_detection.ejections_active"
            await eventually(lambda gauge=gauge: mesh.counter(gauge) == 0)  # type: ignore[misc]


async def attempt(channel: grpc.aio.Channel, method: str, timeout: float = 2.0) -> tuple[str, str]:
    """(status, x-breaker) of one call."""
    try:
        await raw(channel, method)(b"", timeout=timeout)
    except grpc.aio.AioRpcError as error:
        return error.code().name, str(dict(error.trailing_metadata() or ()).get("x-breaker", ""))
    return "OK", ""


async def test_five_time_outs_trip_promos_breaker_then_it_answers_at_once_and_recovers(
    mesh: Mesh, egress: grpc.aio.Channel
) -> None:
    async def answers_again() -> bool:
        return (await attempt(egress, QUOTE_PROMOTION))[0] == "OK"

    await eventually(answers_again)
    mesh.runtime(chaos__promo__delay_percent=100, chaos__promo__delay_ms=300)

    cut_off = []
    for _ in range(5):
        async with timed() as seconds:
            assert await attempt(egress, QUOTE_PROMOTION) == ("DEADLINE_EXCEEDED", "timeout")
        cut_off.append(seconds[0])
    assert min(cut_off) > 0.040
    assert sorted(cut_off)[2] < 0.250
    answers = []
    for _ in range(20):
        async with timed() as seconds:
            assert await attempt(egress, QUOTE_PROMOTION) == ("UNAVAILABLE", "open")
        answers.append(seconds[0])
    assert sorted(answers)[10] < 0.015, "the median answer of an open breaker; measured 0.3 ms on an idle machine"

    mesh.runtime(chaos__promo__delay_percent=0)
    began = time.monotonic()
    await eventually(answers_again)
    assert time.monotonic() - began < 4
    assert "promo" in (mesh.run_dir / "logs" / "eject.log").read_text()


async def test_the_callers_own_deadline_of_50_ms_trips_it_too(mesh: Mesh, egress: grpc.aio.Channel) -> None:
    ejections = mesh.counter("cluster.promo.outlier_detection.ejections_enforced_total")
    mesh.runtime(chaos__promo__delay_percent=100, chaos__promo__delay_ms=300)

    async def open_at_last() -> bool:
        return (await attempt(egress, QUOTE_PROMOTION, timeout=0.05))[1] == "open"

    await eventually(open_at_last)
    assert mesh.counter("cluster.promo.outlier_detection.ejections_enforced_total") > ejections


@pytest.mark.parametrize("provider", PROVIDER_METHODS)
async def test_each_provider_has_its_way_out(egress: grpc.aio.Channel, mesh: Mesh, provider: str) -> None:
    before = mesh.counter(f"cluster.{provider}.upstream_rq_completed")
    assert await attempt(egress, PROVIDER_METHODS[provider]) == ("OK", "")
    assert mesh.counter(f"cluster.{provider}.upstream_rq_completed") == before + 1


@pytest.mark.parametrize("provider", PROVIDER_METHODS)
async def test_a_broken_provider_is_cut_off_alone_and_comes_back(
    mesh: Mesh, egress: grpc.aio.Channel, provider: str
) -> None:
    method = PROVIDER_METHODS[provider]
    mesh.runtime(**{f"chaos__{provider}__abort_percent": 100})
    assert [await attempt(egress, method) for _ in range(5)] == [("UNAVAILABLE", "")] * 5

    async def says(*words: str) -> bool:
        return await attempt(egress, method) == words

    await eventually(lambda: says("UNAVAILABLE", "open"))
    for other in PROVIDER_METHODS.keys() - {provider}:
        assert await attempt(egress, PROVIDER_METHODS[other]) == ("OK", "")
    mesh.runtime(**{f"chaos__{provider}__abort_percent": 0})
    await eventually(lambda: says("OK", ""))


async def test_broken_recommendations_are_cut_off_at_the_gateway_and_come_back(mesh: Mesh) -> None:
    """Their breaker is on the way of buyers: nobody of ours calls them."""
    ejected = "cluster.engagement.outlier_detection.ejections_active"

    async def recommended(channel: grpc.aio.Channel) -> str:
        try:
            await raw(channel, RECOMMEND)(b"", metadata=mesh.bearer(), timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    async with upstream(mesh.ports["engagement"]) as behind, mesh.channel("gateway") as channel:
        await mesh.healthy("engagement", 1)
        assert await recommended(channel) == "OK"
        mesh.runtime(chaos__engagement__abort_percent=100)
        assert [await recommended(channel) for _ in range(5)] == ["UNAVAILABLE"] * 5
        await eventually(lambda: mesh.counter(ejected) == 1)
        mesh.runtime(chaos__engagement__abort_percent=0)
        assert await recommended(channel) == "UNAVAILABLE", "its time is not over"
        assert len(behind.calls) == 1

        async def back() -> bool:
            return await recommended(channel) == "OK"

        await eventually(back)


async def test_failures_mixed_with_good_answers_trip_it_by_their_rate(mesh: Mesh, egress: grpc.aio.Channel) -> None:
    """Two of three fail, never three in a row: no count of failures in a row sees that."""
    by_rate = "cluster.loyalty.outlier_detection.ejections_enforced_failure_percentage"
    in_a_row = "cluster.loyalty.outlier_detection.ejections_enforced_consecutive_gateway_failure"
    before = mesh.counter(by_rate), mesh.counter(in_a_row)
    numbers = count()

    async def mixed() -> bool:
        mesh.runtime(chaos__loyalty__abort_percent=100 if next(numbers) % 3 else 0)
        return (await attempt(egress, PROVIDER_METHODS["loyalty"]))[1] == "open"

    await eventually(mixed, every=0)
    assert (mesh.counter(by_rate), mesh.counter(in_a_row)) == (before[0] + 1, before[1])


async def test_the_egress_leads_to_no_other_service(egress: grpc.aio.Channel) -> None:
    assert (await attempt(egress, "/peakmesh.ops.v1.OpsService/SetStock"))[0] == "UNIMPLEMENTED"
