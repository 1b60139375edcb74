"""The breaker under any sequence of calls, answers and time: what must hold whatever comes."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meshkit.breaker import Breaker, Permit
from meshkit.breaker_policy import Policy, State
from meshkit.errors import DependencyUnavailable, IllegalState

ERRORS: list[Exception | None] = [
    None,
    DependencyUnavailable("promo"),
    DependencyUnavailable("promo", cut_off="open"),
    IllegalState("not now"),
]


class BreakerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 50.0
        self.policy = Policy(slow_seconds=0.03, minimum_calls=4)
        self.breaker = Breaker("machine", self.policy, lambda: self.now, lambda: 0.5)
        self.under_way: list[Permit] = []

    @rule(seconds=st.floats(0, 4))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_begins(self) -> None:
        was_open = self.breaker.state is State.OPEN
        permit = self.breaker.permit()
        if permit is not None:
            self.under_way.append(permit)
            assert permit.probe == (was_open or self.breaker.state is State.HALF_OPEN)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), error=st.sampled_from(ERRORS))
    def a_call_ends(self, data: Any, error: Exception | None) -> None:
        permit = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        before = self.breaker.state
        self.breaker.settle(permit, error)
        if before is State.OPEN:
            assert self.breaker.state is State.OPEN, "only time and probes lead out of OPEN"

    @invariant()
    def probes_and_calls_are_bounded(self) -> None:
        epoch = self.breaker._epoch
        assert sum(permit.probe and permit.epoch == epoch for permit in self.under_way) <= self.policy.probes
        assert len(self.under_way) <= self.policy.at_once
        assert self.breaker._in_flight == len(self.under_way)


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestBreaker = BreakerMachine.TestCase
