"""The state machine: what moves a tier, what does not, and that it never flaps."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governor.tier import UNKNOWN, Policy, Reading, Signal, Tier
from governor.tier_machine import Decision, Move, TierMachine
from tests.unit.governor.policies import CALM, TEXT, policy, pressed

POLICY, JUMPING = policy(), policy(TEXT.replace("rise: step", "rise: jump"))


def run(machine: TierMachine, looks: Sequence[dict[Signal, Reading]], start: float = 0.0) -> list[Decision]:
    """One look a second."""
    return [machine.step(start + second, readings) for second, readings in enumerate(looks)]


def test_one_signal_at_its_threshold_is_enough_and_the_decision_names_it() -> None:
    decision = TierMachine(POLICY).step(0.0, pressed(accept_rate=50, kafka_lag=1000))
    assert (decision.move, decision.before, decision.tier) == (Move.RISE, Tier.NORMAL, Tier.BUSY)
    assert str(decision.cause) == "kafka_lag 1000 ≥ 1000"
    assert TierMachine(POLICY).step(0.0, pressed(accept_rate=99.9, kafka_lag=999)).move is Move.STAY


def test_a_threshold_must_be_reached_without_a_break_for_as_long_as_the_policy_says() -> None:
    machine = TierMachine(POLICY, Tier.BUSY)
    high, low = pressed(accept_rate=210), pressed(accept_rate=120)
    tiers = [each.tier for each in run(machine, [high, high, low, high, high, high])]
    assert tiers == [Tier.BUSY] * 5 + [Tier.PEAK]


def test_steps_go_one_tier_at_a_time_and_jumps_to_the_highest() -> None:
    flood = [pressed(accept_rate=1000)] * 20
    stepping = [each for each in run(TierMachine(POLICY), flood) if each.move is Move.RISE]
    assert [each.tier for each in stepping] == [Tier.BUSY, Tier.PEAK, Tier.SURVIVAL]
    jumping = [each for each in run(TierMachine(JUMPING), flood) if each.move is Move.RISE]
    assert [each.tier for each in jumping] == [Tier.SURVIVAL]


def test_it_falls_below_exit_only_after_some_calm_and_after_its_hold() -> None:
    machine = TierMachine(POLICY)
    assert machine.step(0.0, pressed(accept_rate=100)).tier is Tier.BUSY
    between = run(machine, [pressed(accept_rate=80)] * 30, start=1.0)
    assert {each.tier for each in between} == {Tier.BUSY}, "between exit and enter nothing moves"
    falling = run(machine, [pressed(accept_rate=59)] * 4, start=31.0)
    assert [each.move for each in falling[:3]] == [Move.STAY, Move.STAY, Move.FALL]
    assert str(falling[2].cause) == "accept_rate 59 < 60"


def test_within_a_hold_it_says_what_it_would_do() -> None:
    machine = TierMachine(POLICY)
    machine.step(0.0, pressed(accept_rate=100))
    decision = machine.step(1.0, pressed(accept_rate=400))
    assert (decision.move, decision.tier, decision.hold_left) == (Move.HELD, Tier.BUSY, 5.0)
    assert decision.why == "BUSY is held for 5.0 s more, then PEAK: accept_rate 400 ≥ 300"


@pytest.mark.parametrize("tier", list(Tier))
def test_unknown_moves_nothing(tier: Tier) -> None:
    nothing = dict.fromkeys(Signal, UNKNOWN)
    for readings in (nothing, {}):
        decisions = run(TierMachine(POLICY, tier), [readings] * 60)
        assert {each.tier for each in decisions} == {tier}


def test_one_unknown_signal_holds_the_tier_up_but_does_not_hinder_a_rise() -> None:
    machine = TierMachine(POLICY, Tier.BUSY)
    decisions = run(machine, [pressed(kafka_lag=None)] * 20)
    assert {each.tier for each in decisions} == {Tier.BUSY}
    assert decisions[-1].why == "stays BUSY: kafka_lag unknown, not below 300"
    assert run(machine, [pressed(kafka_lag=None, in_flight=60)] * 4, start=20.0)[-1].tier is Tier.PEAK


def test_a_part_of_a_signal_may_raise_but_is_no_proof_of_calm() -> None:
    part = {**CALM, Signal.ACCEPT_RATE: Reading(10.0, at_least=True)}
    assert {each.tier for each in run(TierMachine(POLICY, Tier.BUSY), [part] * 20)} == {Tier.BUSY}
    enough = {**CALM, Signal.ACCEPT_RATE: Reading(100.0, at_least=True)}
    assert TierMachine(POLICY).step(0.0, enough).tier is Tier.BUSY


def test_a_tier_taken_over_is_held_for_the_rest_of_its_time() -> None:
    machine = TierMachine(POLICY, Tier.SURVIVAL, changed_at=98.0)
    tiers = [each.tier for each in run(machine, [CALM] * 3, start=100.0)]
    assert tiers == [Tier.SURVIVAL, Tier.PEAK, Tier.PEAK]


def test_no_fall_towards_a_rise_that_is_about_to_come() -> None:
    machine = TierMachine(policy(TEXT.replace("    enter_seconds: 2", "    enter_seconds: 9")), Tier.BUSY)
    decisions = run(machine, [pressed(in_flight=60)] * 10)
    assert [each.move for each in decisions] == [Move.STAY] * 9 + [Move.RISE]


READING = st.one_of(
    st.just(UNKNOWN),
    st.builds(
        Reading, st.sampled_from([0.0, 10, 55, 70, 120, 170, 210, 260, 320, 800, 1500, 7000, 9500, float("inf")])
    ),
    st.builds(Reading, st.floats(0, 400), st.booleans()),
)
LOOK = st.tuples(st.floats(0.05, 3.0), st.fixed_dictionaries(dict.fromkeys(Signal, READING)))
# Some looks come in rows, or nothing would ever be sustained.
LOOKS = st.lists(st.tuples(LOOK, st.integers(1, 8)), max_size=40).map(
    lambda rows: [look for look, times in rows for _ in range(times)]
)


@settings(max_examples=300, deadline=None)
@given(LOOKS, st.sampled_from([POLICY, JUMPING]), st.sampled_from(Tier))
def test_it_never_flaps_and_every_move_has_its_cause(
    looks: list[tuple[float, dict[Signal, Reading]]], rules: Policy, first: Tier
) -> None:
    machine, now, changed_at, tier = TierMachine(rules, first), 0.0, float("-inf"), first
    for step, readings in looks:
        now += step
        decision = machine.step(now, readings)
        assert decision.before is tier
        if decision.tier is not tier:
            assert now - changed_at >= rules.rules[tier].hold_seconds, "one change in a hold time at most"
            assert_caused(rules, decision, readings)
            changed_at, tier = now, decision.tier
        assert machine.tier is decision.tier is tier


def assert_caused(rules: Policy, decision: Decision, readings: dict[Signal, Reading]) -> None:
    cause = decision.cause
    assert cause is not None
    assert cause.value == readings[cause.signal].value
    if decision.tier > decision.before:
        assert decision.move is Move.RISE
        assert cause.value >= cause.threshold
        assert rules.jump or decision.tier == decision.before + 1
    else:
        assert (decision.move, decision.tier) == (Move.FALL, decision.before - 1)
        left = rules.rules[decision.before].exit
        assert all(readings[signal].is_below(value) for signal, value in left.items())


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 400), st.sampled_from([POLICY, JUMPING]), st.sampled_from(Tier))
def test_under_a_steady_load_it_comes_to_rest(rate: float, rules: Policy, first: Tier) -> None:
    decisions = run(TierMachine(rules, first), [pressed(accept_rate=rate)] * 80)
    assert {each.tier for each in decisions[40:]} == {decisions[40].tier}, "at rest after 40 s"
    moves = {each.move for each in decisions if each.tier is not each.before}
    assert len(moves) <= 1, "only up or only down"
