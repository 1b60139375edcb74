"""The step table: one suite over the fake and over MariaDB, and what only the real one can show."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from kernel.payment_steps import BARRED, DEBIT, DONE, FAILED, QUOTE, STARTED
from meshkit.db.engine import database
from meshkit.lifecycle import background
from payment_worker.ports import Steps
from payment_worker.step_rows import Change, Finish, StepRow
from payment_worker.steps import StepTable
from tests.fakes.payment import FakeSteps, World
from tests.integration.payment_worker.shop import Shop, new_ids


def begin(order_id: str, step: str, amount: int = 0) -> Change:
    return Change(order_id, begin=(StepRow(order_id, step, amount_minor=amount, currency="EUR", deadline_ms=1),))


class StepsSuite:
    async def test_the_first_outcome_stays(self, steps: Steps) -> None:
        (order_id,) = new_ids(1)
        await steps.change(begin(order_id, DEBIT, 7))
        first = await steps.change(Change(order_id, finish=(Finish(DEBIT, DONE, provider_ref="t1"),)))
        second = await steps.change(Change(order_id, finish=(Finish(DEBIT, FAILED, reason="late"),)))
        assert first.rows[DEBIT].provider_ref == "t1"
        assert second.rows[DEBIT] == first.rows[DEBIT]
        assert (second.rows[DEBIT].amount_minor, second.rows[DEBIT].state) == (7, DONE)

    async def test_one_change_finishes_and_begins(self, steps: Steps) -> None:
        (order_id,) = new_ids(1)
        await steps.change(begin(order_id, QUOTE))
        quoted = Change(
            order_id, finish=(Finish(QUOTE, DONE, amount_minor=490),), begin=begin(order_id, DEBIT, 9).begin
        )
        applied = await steps.change(quoted)
        assert applied.inserted == (DEBIT,)
        again = await steps.change(begin(order_id, DEBIT, 9))
        assert again.inserted == ()
        assert (again.rows[QUOTE].amount_minor, again.rows[DEBIT].attempt) == (490, 2)

    async def test_side_by_side_changes_of_one_order_see_one_another(self, steps: Steps) -> None:
        (order_id,) = new_ids(1)
        applied = await asyncio.gather(*(steps.change(begin(order_id, DEBIT)) for _ in range(20)))
        assert sum(DEBIT in each.inserted for each in applied) == 1
        assert max(each.rows[DEBIT].attempt for each in applied) == 20

    async def test_a_reason_longer_than_its_column_is_cut(self, steps: Steps) -> None:
        (order_id,) = new_ids(1)
        await steps.change(begin(order_id, DEBIT))
        applied = await steps.change(Change(order_id, finish=(Finish(DEBIT, FAILED, reason="é" * 1000),)))
        assert applied.rows[DEBIT].reason == "é" * 255


class TestFakeSteps(StepsSuite):
    @pytest.fixture
    def steps(self) -> Steps:
        return FakeSteps(World())


class TestStepTable(StepsSuite):
    @pytest.fixture
    async def steps(self, shop: Shop) -> AsyncIterator[Steps]:
        table = StepTable(shop.engine)
        async with background(table.run()):
            yield table


async def test_bar_and_begin_race_for_the_primary_key(shop: Shop) -> None:
    """200 orders are begun in batches while they are barred one by one: one of the two wins each."""
    ids = new_ids(200)
    table = StepTable(shop.engine)

    async def bar(order_id: str) -> bool:
        try:
            await shop.insert_step(order_id, DEBIT, BARRED)
        except IntegrityError:
            return False
        return True

    async with background(table.run()):
        begun, barred = await asyncio.gather(
            asyncio.gather(*(table.change(begin(order_id, DEBIT)) for order_id in ids)),
            asyncio.gather(*(bar(order_id) for order_id in reversed(ids))),
        )
    pairs = zip(begun, reversed(barred), strict=True)  # they were barred from the other end
    winners = [(DEBIT in applied.inserted, theirs) for applied, theirs in pairs]
    assert all(ours != theirs for ours, theirs in winners)
    states = {(await shop.states(order_id))[DEBIT] for order_id in ids}
    assert states <= {STARTED, BARRED}


async def test_a_row_the_database_cannot_hold_fails_alone(shop: Shop) -> None:
    ids = new_ids(5)
    table = StepTable(shop.engine)
    poison = Change("x" * 100, begin=(StepRow("x" * 100, DEBIT, currency="EUR"),))
    async with background(table.run()):
        ended = await asyncio.gather(
            *(table.change(begin(order_id, DEBIT)) for order_id in ids), table.change(poison), return_exceptions=True
        )
    assert isinstance(ended[-1], DBAPIError)
    assert not any(isinstance(each, BaseException) for each in ended[:-1])


async def test_a_change_waits_for_a_database_that_is_away(shop: Shop) -> None:
    (order_id,) = new_ids(1)
    async with database("mysql+asyncmy://nobody@127.0.0.1:1/none", pool_size=1) as nowhere:
        table = StepTable(nowhere)
        async with background(table.run()):
            waiting = asyncio.ensure_future(table.change(begin(order_id, DEBIT)))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            waiting.cancel()
    assert not done
