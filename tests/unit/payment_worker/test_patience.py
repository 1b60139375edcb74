import asyncio

import pytest

from meshkit.errors import DeadlinePassed, DependencyUnavailable, InvalidFields, KeyBarred, Overloaded, PeakmeshError
from payment_worker.patience import BUDGET, CAP_SECONDS, Patience, is_passing


class Waits:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def down(n: int) -> str:
    raise DependencyUnavailable("wallet")


async def test_three_retries_with_full_jitter_then_the_last_error() -> None:
    waits = Waits()
    with pytest.raises(DependencyUnavailable):
        await Patience("wallet", 1, 3, sleep=waits, seed=7).persist(down)
    assert len(waits.seconds) == 3
    assert all(0 <= seconds <= CAP_SECONDS for seconds in waits.seconds)
    assert len(set(waits.seconds)) == 3


async def test_an_error_that_will_not_pass_is_not_repeated() -> None:
    waits = Waits()

    async def refused(n: int) -> str:
        raise InvalidFields([("amount", "no")])

    with pytest.raises(InvalidFields):
        await Patience("wallet", 1, 3, sleep=waits).persist(refused)
    assert waits.seconds == []


async def test_the_budget_ends_retries_and_successes_earn_it_back() -> None:
    waits = Waits()
    patience = Patience("wallet", 1, 3, sleep=waits)
    for _ in range(20):
        with pytest.raises(DependencyUnavailable):
            await patience.persist(down)
    assert len(waits.seconds) == BUDGET

    async def up(n: int) -> str:
        return "ok"

    for _ in range(5):
        assert await patience.persist(up) == "ok"
    with pytest.raises(DependencyUnavailable):
        await patience.persist(down)
    assert len(waits.seconds) == BUDGET + 1


async def test_the_bulkhead_bounds_the_calls_in_flight() -> None:
    now, most = 0, 0

    async def busy(n: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    patience = Patience("wallet", 3, 0)
    await asyncio.gather(*(patience.persist(busy) for _ in range(20)))
    assert most == 3


def test_what_may_pass() -> None:
    passing = [DependencyUnavailable("x"), DeadlinePassed("x"), Overloaded("x"), PeakmeshError("internal")]
    assert all(is_passing(error) for error in passing)
    assert not any(is_passing(error) for error in [InvalidFields([]), KeyBarred("x")])
