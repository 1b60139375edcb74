"""Every transition of the breaker, on a clock of the test's own."""

import asyncio
from itertools import count

import pytest
from grpc import StatusCode
from prometheus_client import REGISTRY

from meshkit.breaker import Breaker, Permit
from meshkit.breaker_policy import Policy, State
from meshkit.errors import (
    DeadlinePassed,
    DependencyUnavailable,
    IllegalState,
    InvalidFields,
    OrderNotFound,
    PeakmeshError,
)

POLICY = Policy(slow_seconds=0.03, jitter=0.0)
DOWN = DependencyUnavailable("promo")
NUMBERS = count()


class Bench:
    """A breaker whose time the test moves."""

    def __init__(self, policy: Policy = POLICY, chance: float = 0.0) -> None:
        self.now, self.name = 1_000.0, f"test-{next(NUMBERS)}"
        self.breaker = Breaker(self.name, policy, lambda: self.now, lambda: chance)

    def call(self, error: BaseException | None = None, seconds: float = 0.001) -> bool:
        """False: it was cut off."""
        permit = self.breaker.permit()
        if permit is None:
            return False
        self.end(permit, error, seconds)
        return True

    def end(self, permit: Permit, error: BaseException | None = None, seconds: float = 0.0) -> None:
        try:
            with permit:
                self.now += seconds
                if error is not None:
                    raise error
        except type(error or self):  # type: ignore[misc]
            return

    def opened(self) -> "Bench":
        for _ in range(POLICY.minimum_calls):
            self.call(DOWN)
        assert self.breaker.state is State.OPEN
        return self

    def half_open(self) -> list[Permit]:
        """All probes it gives."""
        self.now += 10
        return list(iter(self.breaker.permit, None))

    def counted(self, outcome: str) -> float:
        return (
            REGISTRY.get_sample_value("peakmesh_breaker_calls_total", {"breaker": self.name, "outcome": outcome}) or 0
        )

    def went(self, to: State, cause: str) -> float:
        labels = {"breaker": self.name, "to": to, "cause": cause}
        return REGISTRY.get_sample_value("peakmesh_breaker_transitions_total", labels) or 0


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_share_of_failures_opens_it_but_not_before_the_minimum_of_calls(bench: Bench) -> None:
    answers = [DOWN if number % 4 == 0 else None for number in range(POLICY.minimum_calls)]
    for error in answers[:-1]:
        assert bench.call(error)
        assert bench.breaker.state is State.CLOSED
    bench.call(answers[-1])
    assert bench.breaker.state is State.OPEN
    assert bench.went(State.OPEN, "failure_rate") == 1


def test_slow_answers_open_it_though_none_failed(bench: Bench) -> None:
    while bench.breaker.state is State.CLOSED:
        assert bench.call(seconds=0.031)
    assert bench.went(State.OPEN, "slow_rate") == 1
    assert bench.counted("slow") == POLICY.minimum_calls


def test_few_failures_among_many_do_not(bench: Bench) -> None:
    for number in range(1_000):
        assert bench.call(DOWN if number % 10 == 0 else None)
    assert bench.breaker.state is State.CLOSED


def test_what_is_older_than_the_window_is_forgotten(bench: Bench) -> None:
    for _ in range(POLICY.minimum_calls - 1):
        bench.call(DOWN)
    bench.now += POLICY.window_seconds + 0.2
    bench.call(DOWN)
    assert bench.breaker.state is State.CLOSED


def test_an_open_one_lets_nothing_through_until_its_time_is_over(bench: Bench) -> None:
    bench.opened()
    bench.now += POLICY.open_seconds - 0.01
    assert not bench.call()
    bench.now += 0.02
    assert bench.call()
    assert bench.breaker.state is State.HALF_OPEN


def test_good_and_fast_probes_close_it(bench: Bench) -> None:
    bench.opened()
    for permit in bench.half_open():
        assert bench.breaker.state is State.HALF_OPEN
        bench.end(permit)
    assert bench.breaker.state is State.CLOSED
    assert bench.call()
    assert bench.went(State.CLOSED, "probes_good") == 1


@pytest.mark.parametrize(("error", "seconds"), [(DOWN, 0.0), (DeadlinePassed("late"), 0.05), (None, 0.05)])
def test_one_probe_that_fails_or_is_slow_opens_it_again(
    bench: Bench, error: PeakmeshError | None, seconds: float
) -> None:
    first, second, third = bench.opened().half_open()
    bench.end(first)
    bench.end(second, error, seconds)
    assert bench.breaker.state is State.OPEN
    # Of an earlier epoch: it neither closes the breaker nor takes a probe of the next time.
    bench.end(third)
    assert bench.breaker.state is State.OPEN
    assert len(bench.half_open()) == POLICY.probes


def test_after_a_slow_probe_it_asks_again_sooner_than_after_one_that_failed(bench: Bench) -> None:
    for error, seconds, open_again in ((None, 0.04, False), (DOWN, 0.001, True)):
        bench.breaker.force(None)
        bench.opened().now += 10
        assert bench.call(error, seconds)
        bench.now += POLICY.again_seconds + 0.1
        assert (bench.breaker.permit() is None) is open_again


async def test_fifty_calls_at_once_are_three_probes(bench: Bench) -> None:
    bench.opened()
    bench.now += 10
    gate, inside = asyncio.Event(), []

    async def call(number: int) -> bool:
        permit = bench.breaker.permit()
        if permit is None:
            return False
        with permit:
            inside.append(number)
            await gate.wait()
        return True

    calls = [asyncio.create_task(call(number)) for number in range(50)]
    await asyncio.sleep(0)
    assert len(inside) == 3
    gate.set()
    assert sum(await asyncio.gather(*calls)) == 3
    assert bench.breaker.state is State.CLOSED
    assert bench.counted("probe") == 3


async def test_a_cancelled_probe_gives_its_permit_back(bench: Bench) -> None:
    bench.opened()
    bench.now += 10

    async def call() -> None:
        permit = bench.breaker.permit()
        assert permit is not None
        with permit:
            await asyncio.Event().wait()

    probes = [asyncio.create_task(call()) for _ in range(3)]
    await asyncio.sleep(0)
    assert bench.breaker.permit() is None
    probes[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await probes[0]
    assert bench.breaker.state is State.HALF_OPEN
    again = bench.breaker.permit()
    assert again is not None
    bench.end(again)
    assert bench.breaker.permit() is None
    for probe in probes[1:]:
        probe.cancel()
    await asyncio.wait(probes[1:])


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        InvalidFields([("sku", "is missing")]),
        OrderNotFound("no such order"),
        IllegalState("not now"),
        DependencyUnavailable("promo", status=StatusCode.CANCELLED),
        DependencyUnavailable("promo", status=StatusCode.NOT_FOUND),
        DependencyUnavailable("promo", cut_off="overflow"),
        ValueError("a mistake of ours"),
    ],
    ids=repr,
)
def test_what_is_not_its_fault_is_ignored(bench: Bench, error: BaseException) -> None:
    for _ in range(100):
        assert bench.call(error)
    assert bench.went(State.OPEN, "failure_rate") == 0
    [*probes] = bench.opened().half_open()
    bench.end(probes[0], error)
    assert bench.breaker.state is State.HALF_OPEN
    assert bench.breaker.permit() is not None


def test_envoys_open_breaker_opens_it_at_once_and_is_no_failure_of_its_own(bench: Bench) -> None:
    envoys = DependencyUnavailable("promo", cut_off="open")
    bench.call(envoys)
    assert (bench.breaker.state, bench.went(State.OPEN, "mirrored")) == (State.OPEN, 1)
    assert bench.counted("failed") == 0
    bench.now += 2.49
    assert not bench.call(), "it opens no shorter than Envoy's"
    first, *_ = bench.half_open()
    bench.end(first, envoys)
    bench.now += POLICY.again_seconds + 0.01
    assert len(bench.half_open()) == 3
    assert bench.breaker._openings == 1, "what Envoy says makes no opening longer"


def test_the_bulkhead_bounds_what_is_under_way(bench: Bench) -> None:
    permits = [bench.breaker.permit() for _ in range(POLICY.at_once)]
    assert None not in permits
    assert bench.breaker.permit() is None
    assert bench.counted("full") == 1
    for permit in permits:
        assert permit is not None
        bench.end(permit)
    assert bench.call()


def test_a_full_bulkhead_uses_up_no_probe(bench: Bench) -> None:
    stuck = [bench.breaker.permit() for _ in range(POLICY.at_once - 1)]
    assert None not in stuck
    bench.call(DependencyUnavailable("promo", cut_off="open"))
    [probe] = bench.half_open()
    bench.end(probe)
    assert bench.call(), "the place is free again, and two probes are left"
    assert (bench.counted("probe"), bench.breaker.state) == (2, State.HALF_OPEN)


def test_forced_states_hold_against_everything(bench: Bench) -> None:
    bench.breaker.force(State.OPEN)
    bench.now += 1_000
    assert not bench.call()
    bench.breaker.force(State.CLOSED)
    for _ in range(100):
        assert bench.call(DOWN)
    bench.breaker.force(None)
    assert bench.call()
    with pytest.raises(ValueError, match="half open"):
        bench.breaker.force(State.HALF_OPEN)


def test_each_opening_in_a_row_is_longer_up_to_a_cap(bench: Bench) -> None:
    assert [round(POLICY.open_for(number, 0.0), 2) for number in range(4)] == [2.5, 3.0, 3.5, 3.5]
    jittered = Policy(slow_seconds=0.03)
    assert jittered.open_for(0, 1.0) == pytest.approx(2.75)
    assert jittered.open_for(9, 1.0) == jittered.open_most == 3.5


def test_one_that_flaps_stays_open_longer_and_a_steady_one_begins_anew(bench: Bench) -> None:
    for _ in range(3):
        bench.opened()
        for permit in bench.half_open():
            bench.end(permit)
        assert bench.breaker.state is State.CLOSED
    bench.opened()
    bench.now += 3.4
    assert not bench.call()
    for permit in bench.half_open():
        bench.end(permit)
    bench.now += POLICY.open_most
    bench.opened()
    bench.now += POLICY.open_seconds + 0.01
    assert bench.call()


def test_a_policy_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 3 probes"):
        Policy(slow_seconds=0.03, probes=4)
