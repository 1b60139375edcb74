"""The governor dies in the middle of a rebuild: nothing opens half loaded, and the repeated call finishes it."""

import pytest

from kernel.stock.results import OfferState, ReserveKind
from tests.integration.governor.doom import ask_and_die
from tests.integration.governor.operators import free_base, settings_for
from tests.integration.order_worker.world import accepted, people
from tests.integration.rebuild.loss import Loss, rebuilding

POINTS = ("rows", "closed", "markers", "restored", "epoch", "loaded", "opened")


@pytest.mark.parametrize("point", POINTS)
async def test_the_repeated_call_finishes_it(loss: Loss, point: str) -> None:
    old = await loss.open(units=10, limit=1)
    placed = await loss.accept(old, people(4))
    await loss.written(placed)
    await loss.empty_redis()
    request = rebuilding(old.sale_id)
    doomed = settings_for(loss.mesh, free_base())
    await ask_and_die(doomed, f"after_rebuild_{point}", "RebuildStock", request)
    counters = await loss.desk.stock.counters(old.offer_no, 0)
    opened = counters is not None and counters.state is OfferState.OPEN
    assert opened is (point == "opened")
    early = [await loss.reserve(await loss.offer(old.sale_id, old.sku), accepted(old, people(1)[0]))] if opened else []
    await loss.rebuild(request=request)
    offer = await loss.offer(old.sale_id, old.sku)
    # What was sold after the opening that nobody noted is not loaded over.
    counted = await loss.desk.stock.counters(offer.offer_no, 0)
    assert counted is not None
    assert (counted.available, counted.reserved, counted.sold) == (6 - len(early), 4 + len(early), 0)
    assert counted.state is OfferState.OPEN
    assert [each.kind for each in early] == [ReserveKind.RESERVED] * len(early)
    # Another call finds nothing to do, and begins no other epoch.
    await loss.rebuild(request=request)
    assert (await loss.offer(old.sale_id, old.sku)).epoch == offer.epoch


async def test_another_operator_goes_on_with_what_is_under_way(loss: Loss) -> None:
    old = await loss.open(units=10)
    await loss.accept(old, people(1))
    await loss.empty_redis()
    doomed = settings_for(loss.mesh, free_base())
    await ask_and_die(doomed, "after_rebuild_rows", "RebuildStock", rebuilding(old.sale_id))
    await loss.rebuild(old.sale_id)
    offer = await loss.offer(old.sale_id, old.sku)
    assert await loss.stands(offer) == (9, 1, 0)
    rows = await loss.desk.rows("SELECT DISTINCT epoch FROM stock_rebuild WHERE offer_no = :n", n=old.offer_no)
    assert [row.epoch for row in rows] == [offer.epoch]
