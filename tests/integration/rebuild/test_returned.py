"""Redis comes back open, in the epoch of before, while order_worker is waited for: it is shut before long."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kernel.offers import Offer
from kernel.stock.results import OfferState, ReserveKind
from peakmesh.ops.v1 import ops_service_pb2 as pb
from tests.integration.order_worker.world import accepted, people
from tests.integration.rebuild.loss import Loss, rebuilding
from tests.polling import eventually
from tools import devstack


@pytest.fixture
async def waits_for_order_worker(loss: Loss) -> AsyncIterator[None]:
    await asyncio.to_thread(devstack.stop_process, "order_worker", loss.mesh)
    yield
    await asyncio.to_thread(devstack.start_process, "order_worker", loss.mesh)


async def is_shut(loss: Loss, of: Offer) -> bool:
    counters = await loss.desk.stock.counters(of.offer_no, 0)
    return counters is not None and counters.state is OfferState.REBUILDING


async def test_an_older_copy_takes_no_order_that_would_be_refused(loss: Loss) -> None:
    old = await loss.open(units=9)
    before = await loss.accept(old, people(2))
    await loss.copy_redis()
    await asyncio.to_thread(devstack.stop_process, "order_worker", loss.mesh)
    await loss.empty_redis()
    request = rebuilding(old.sale_id)
    assert (await loss.desk.ask("RebuildStock", request)).phase == pb.REBUILD_PHASE_CONSUMING
    await loss.promote_copy()
    # By the call, which tells no more of it than before.
    assert (await loss.desk.ask("RebuildStock", request)).phase == pb.REBUILD_PHASE_CONSUMING
    late = await loss.reserve(old, accepted(old, "late"))
    assert late.kind is ReserveKind.NOT_OPEN
    assert late.hours is not None
    assert late.hours.state is OfferState.REBUILDING
    await asyncio.to_thread(devstack.start_process, "order_worker", loss.mesh)
    await loss.rebuild(request=request)
    offer = await loss.offer(old.sale_id, old.sku)
    assert await loss.world.states(before) == ["CREATED", "CREATED"]
    assert await loss.stands(offer) == (7, 2, 0)
    assert (await loss.reserve(offer, accepted(offer, "later"))).kind is ReserveKind.RESERVED


@pytest.mark.usefixtures("waits_for_order_worker")
async def test_it_is_shut_as_often_as_it_comes_back_within_one_call(loss: Loss) -> None:
    old = await loss.open(units=9)
    request = rebuilding(old.sale_id)
    assert (await loss.desk.ask("RebuildStock", request)).phase == pb.REBUILD_PHASE_CONSUMING
    call = asyncio.create_task(loss.desk.ask("RebuildStock", request))
    for _ in range(3):
        await loss.empty_redis()
        assert await loss.desk.stock.open_offer(old, 9, 0, 0)
        await eventually(lambda: is_shut(loss, old), within=2)
        assert not call.done()
    assert (await call).phase == pb.REBUILD_PHASE_CONSUMING


@pytest.mark.usefixtures("waits_for_order_worker")
async def test_it_is_shut_where_the_operator_went_away(loss: Loss) -> None:
    old = await loss.open(units=9)
    assert (await loss.desk.ask("RebuildStock", rebuilding(old.sale_id))).phase == pb.REBUILD_PHASE_CONSUMING
    for _ in range(2):
        await loss.empty_redis()
        assert await loss.desk.stock.open_offer(old, 9, 0, 0)
        await eventually(lambda: is_shut(loss, old), within=3)
