"""A circuit breaker around calls to something that may be slow or broken.

    CLOSED ──rates too high, or Envoy's is open──► OPEN ──its time is over──► HALF_OPEN ──all probes good──► CLOSED
                                                    ▲────────one is not──────────┘

Used from one event loop; nothing here waits. Written here since no library we found bounds its probes (each let 50 of
50 through when half-open), and some open when a caller cancels.
"""

import random
import time
from collections.abc import Callable
from types import TracebackType

from meshkit.breaker_policy import SHOWN, Policy, State
from meshkit.call_outcome import Outcome, outcome_of
from meshkit.call_window import CallWindow
from meshkit.metrics import BREAKER_CALLS, BREAKER_STATE, BREAKER_TRANSITIONS


class Permit:
    """One call: `with permit: await …`. How the block ends is what the breaker learns; a cancel gives it back."""

    __slots__ = ("_breaker", "epoch", "probe", "started")

    def __init__(self, breaker: "Breaker", epoch: int, probe: bool, started: float) -> None:
        self._breaker, self.epoch, self.probe, self.started = breaker, epoch, probe, started

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._breaker.settle(self, error)


class Breaker:
    """`name` is the label of its metrics. `clock`: monotonic seconds. `chance`: 0 to 1, for the jitter."""

    def __init__(
        self,
        name: str,
        policy: Policy,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy, self._clock, self._chance, self._name = policy, clock, chance, name
        self._window = CallWindow(policy.window_seconds)
        self._state, self._forced = State.CLOSED, False
        # Calls that began in an earlier epoch say nothing about this one.
        self._epoch = self._openings = self._in_flight = self._probing = self._probed_well = 0
        self._until = 0.0
        self._steady_from = 0.0
        self._shown = BREAKER_STATE.labels(name)
        self._calls = {word: BREAKER_CALLS.labels(name, word) for word in (*Outcome, "cut_off", "full", "probe")}

    @property
    def state(self) -> State:
        """OPEN turns HALF_OPEN at the first call after its time."""
        return self._state

    @property
    def forced(self) -> bool:
        return self._forced

    def permit(self) -> Permit | None:
        """To make one call, at once; None: do without. Each permit must be entered."""
        if self._state is State.OPEN and (self._forced or self._clock() < self._until):
            self._calls["cut_off"].inc()
            return None
        if self._in_flight >= self._policy.at_once:
            self._calls["full"].inc()
            return None
        if self._state is State.OPEN:
            self._enter(State.HALF_OPEN, "time")
        probe = self._state is State.HALF_OPEN
        if probe:
            if self._probing + self._probed_well >= self._policy.probes:
                self._calls["cut_off"].inc()
                return None
            self._probing += 1
            self._calls["probe"].inc()
        self._in_flight += 1
        return Permit(self, self._epoch, probe, self._clock())

    def force(self, state: State | None) -> None:
        """OPEN or CLOSED whatever comes, until `None`: then it starts anew, closed. Raises ValueError for HALF_OPEN."""
        if state is State.HALF_OPEN:
            raise ValueError("a breaker cannot be held half open")
        self._forced = state is not None
        self._openings = 0
        self._enter(state or State.CLOSED, "forced" if state else "released")

    def settle(self, permit: Permit, error: BaseException | None) -> None:
        """For Permit alone."""
        now = self._clock()
        slow = now - permit.started >= self._policy.slow_seconds
        outcome = outcome_of(error, slow)
        self._in_flight -= 1
        self._calls[outcome].inc()
        if permit.epoch != self._epoch or self._forced:
            return
        if permit.probe:
            self._probing -= 1
        if outcome is Outcome.MIRRORED:
            self._open("mirrored", self._policy.again_seconds if permit.probe else None)
        elif outcome is not Outcome.IGNORED:
            if permit.probe:
                self._judge_probe(outcome)
            else:
                self._judge_rates(now, outcome, slow)

    def _judge_probe(self, outcome: Outcome) -> None:
        if outcome is not Outcome.GOOD:
            # One that was slow but answered: who was called lives, and is asked again soon.
            self._open("probe_" + outcome, self._policy.again_seconds if outcome is Outcome.SLOW else None)
            return
        self._probed_well += 1
        if self._probed_well >= self._policy.probes:
            self._enter(State.CLOSED, "probes_good")

    def _judge_rates(self, now: float, outcome: Outcome, slow: bool) -> None:
        counts = self._window.add(now, failed=outcome is Outcome.FAILED, slow=slow)
        if counts.calls < self._policy.minimum_calls:
            return
        if counts.failed >= self._policy.failure_rate * counts.calls:
            self._open("failure_rate")
        elif counts.slow >= self._policy.slow_rate * counts.calls:
            self._open("slow_rate")

    def _open(self, cause: str, seconds: float | None = None) -> None:
        now, policy = self._clock(), self._policy
        if seconds is None:
            # Closed for as long as it may be open: what comes now is another trouble, not the last one again.
            if self._state is State.CLOSED and now - self._steady_from >= policy.open_most:
                self._openings = 0
            seconds = policy.open_for(self._openings, self._chance())
            self._openings += 1
        self._until = now + seconds
        self._enter(State.OPEN, cause)

    def _enter(self, state: State, cause: str) -> None:
        self._epoch += 1
        self._probing = self._probed_well = 0
        self._window.clear()
        self._steady_from = self._clock()
        self._state = state
        self._shown.set(SHOWN[state])
        BREAKER_TRANSITIONS.labels(self._name, state, cause).inc()
