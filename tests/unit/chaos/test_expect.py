"""What a scenario asserts, judged from timelines made by hand."""

from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from tools.chaos.expect import Expectation
from tools.chaos.timeline import Call, Done, Reading, Timeline
from tools.chaos.verdict import Verdict
from tools.chaos.watch import BREAKER_CALLS, BREAKER_STATE, BREAKER_TRANSITIONS, EJECTED, EJECTIONS, ENVOY, at_rest

BEGAN, HEALED, ENDED = 5.0, 10.0, 16.0
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def judge(timeline: Timeline, **said: Any) -> Verdict:
    expectation: Any = TypeAdapter(Expectation).validate_python(said)
    verdict: Verdict = expectation.judge(timeline)
    return verdict


def run(in_fault_ms: float = 10, outcome: str = "UNAVAILABLE", back_after: float = 3, failed: int = 0) -> Timeline:
    """A hundred calls a second of 10 ms and APPLIED but in the fault, and for so long after it."""
    calls = []
    for number in range(1_600):
        at = number / 100
        faulty = BEGAN <= at < HEALED
        word = outcome if BEGAN <= at < HEALED + back_after else "APPLIED"
        calls.append(Call(at, "order", in_fault_ms if faulty else 10, number >= failed, word))
    done = [Done(BEGAN, BEGAN, "arm"), Done(HEALED, HEALED, "clear", heals=True)]
    return Timeline(calls=calls, done=done, ended=ENDED, well_from=HEALED + 3)


def page(at: float, opened: float = 0, half: float = 0, probes: float = 0, cause: str = "failure_rate") -> Reading:
    values: Values = {
        (BREAKER_TRANSITIONS, labels(to="open", cause=cause)): opened,
        (BREAKER_TRANSITIONS, labels(to="half_open", cause="time")): half,
        (BREAKER_CALLS, labels(outcome="probe")): probes,
    }
    return Reading(at, values)


def labels(**more: str) -> frozenset[tuple[str, str]]:
    return frozenset({"breaker": "promotions", **more}.items())


def test_p99_is_held_against_the_same_runs_healthy_seconds() -> None:
    assert judge(run(12), expect="p99", call="order").held
    slow = judge(run(13), expect="p99", call="order")
    assert not slow.held
    assert "× 1.30" in slow.measured
    assert not judge(run(), expect="p99", call="nothing").held, "no calls are no proof"


def test_p99_is_broken_by_more_slow_calls_than_chance_brings() -> None:
    timeline, allowed = run(), 15
    in_fault = [place for place, each in enumerate(timeline.calls) if BEGAN <= each.at < HEALED]
    for place in in_fault[:allowed]:
        timeline.calls[place] = replace(timeline.calls[place], ms=30)
    found = judge(timeline, expect="p99", call="order")
    assert found.held
    assert found.measured.endswith(
        f"× 3.00 (600 and 500 calls); {allowed} slower than that, {allowed} may be by chance"
    )
    timeline.calls[in_fault[-1]] = replace(timeline.calls[in_fault[-1]], ms=30)
    assert not judge(timeline, expect="p99", call="order").held


def test_a_fault_goes_on_where_one_part_of_it_ends_as_another_begins() -> None:
    timeline = run()
    timeline.done[1:1] = [Done(7.0, 7.0, "clear", heals=True), Done(7.0, 7.0, "arm")]
    assert timeline.fault_ending == HEALED
    timeline.done.append(Done(11.0, 11.0, "clear", heals=True))
    assert timeline.fault_ending == HEALED, "the end may take more than one action"


def test_healthy_is_before_the_fault_and_after_it_but_nothing_between() -> None:
    timeline = run()
    assert "(600 and 500 calls)" in judge(timeline, expect="p99", call="order").measured
    slow = [Call(each.at, each.call, 30 if each.at >= BEGAN else 10, True, "OK") for each in timeline.calls]
    timeline.calls = slow
    assert judge(timeline, expect="p99", call="order").held, "the machine got slower, and stayed so"
    timeline.well_from = 99.0
    assert not judge(timeline, expect="p99", call="order").held, "what never got well is not healthy"


def test_a_few_calls_are_no_p99() -> None:
    timeline = run()
    timeline.calls = [each for number, each in enumerate(timeline.calls) if number % 2]
    few = judge(timeline, expect="p99", call="order")
    assert not few.held
    assert "300 of each are needed" in few.measured


def test_the_seconds_until_it_is_settled_are_left_out_where_it_is_said() -> None:
    timeline = run()
    timeline.calls = [
        Call(each.at, each.call, 50 if BEGAN <= each.at < BEGAN + 0.9 else 10, True, "OK") for each in timeline.calls
    ]
    assert judge(timeline, expect="p99", call="order", settled=1).held
    assert not judge(timeline, expect="p99", call="order").held


def test_every_call_of_the_run_counts_as_success_or_not() -> None:
    assert judge(run(), expect="succeeds", call="order").held
    one = judge(run(failed=1), expect="succeeds", call="order")
    assert not one.held
    assert one.measured == "1599 of 1600, 1 APPLIED"
    assert judge(run(failed=1), expect="succeeds", call="order", share=0.99).held


def test_the_fallback_is_told_in_the_answers() -> None:
    assert judge(run(), expect="answers", call="order", outcome="UNAVAILABLE").held
    assert not judge(run(outcome="APPLIED"), expect="answers", call="order", outcome="UNAVAILABLE").held
    assert not judge(Timeline(done=run().done), expect="answers", call="order", outcome="UNAVAILABLE").held


def test_back_is_most_of_ten_in_time() -> None:
    assert judge(run(back_after=4.5), expect="back", call="order", outcome="APPLIED").held
    assert not judge(run(back_after=5.5), expect="back", call="order", outcome="APPLIED").held
    never = judge(run(back_after=9), expect="back", call="order", outcome="APPLIED")
    assert (never.held, never.measured) == (False, "after inf s")


def test_a_breaker_opens_in_each_process_and_for_the_cause() -> None:
    timeline = run()
    for process, at in (("checkout_0", 5.3), ("checkout_1", 6.2)):
        timeline.readings[process] = [page(4.9, opened=7), page(at, opened=8)]
    assert judge(timeline, expect="breaker_opens", breaker="promotions", within=1.5, cause="failure_rate").held
    assert not judge(timeline, expect="breaker_opens", breaker="promotions", within=1).held
    assert not judge(timeline, expect="breaker_opens", breaker="promotions", within=1.5, cause="slow_rate").held


def test_probes_are_counted_by_half_open_time() -> None:
    timeline = run()
    timeline.readings["checkout_0"] = [page(1), page(6, half=1, probes=3), page(9, half=2, probes=4)]
    assert judge(timeline, expect="probes", breaker="promotions").held
    assert not judge(timeline, expect="probes", breaker="promotions", at_most=2).held
    assert not judge(run(), expect="probes", breaker="promotions").held, "a breaker that never probed shows nothing"


def test_envoys_ejections_since_the_fault() -> None:
    timeline = run()
    promo = frozenset({("envoy_cluster_name", "promo")})
    timeline.readings[ENVOY] = [Reading(at, {(EJECTIONS, promo): count}) for at, count in ((4.0, 2), (5.5, 3))]
    assert judge(timeline, expect="ejects", target="promo", within=1).held
    assert not judge(timeline, expect="ejects", target="wallet", within=1).held
    assert not judge(timeline, expect="never_ejects", target="promo").held
    assert judge(timeline, expect="never_ejects", target="wallet").held
    assert not judge(run(), expect="never_ejects", target="wallet").held, "nobody read it"


def test_an_ejection_after_the_fault_is_none_of_it() -> None:
    timeline = run()
    promo = frozenset({("envoy_cluster_name", "promo")})
    told = ((4.0, 2), (5.5, 2), (HEALED + 1, 3))
    timeline.readings[ENVOY] = [Reading(at, {(EJECTIONS, promo): count}) for at, count in told]
    assert judge(timeline, expect="never_ejects", target="promo").held


def test_an_ejection_is_timed_from_the_fault_of_its_target() -> None:
    timeline = run()
    timeline.done.insert(1, Done(8.0, 8.0, "arm", target="wallet"))
    wallet = frozenset({("envoy_cluster_name", "wallet")})
    timeline.readings[ENVOY] = [Reading(at, {(EJECTIONS, wallet): count}) for at, count in ((4.0, 0), (9.0, 1))]
    assert judge(timeline, expect="ejects", target="wallet", within=1).measured == "after 1.00 s, 1 times in all"


def test_what_is_left_unpaid() -> None:
    timeline = run()
    assert not judge(timeline, expect="settles").held, "nobody asked"
    timeline.unsettled = 0
    assert judge(timeline, expect="settles").held


def test_at_rest_is_every_breaker_closed_and_nobody_ejected() -> None:
    timeline = Timeline()
    assert not at_rest(timeline), "not read yet"
    timeline.readings = {each: [page(0)] for each in ("checkout_0", "checkout_1", ENVOY)}
    assert at_rest(timeline)
    timeline.readings["checkout_1"].append(Reading(1, {(BREAKER_STATE, labels()): 2}))
    assert not at_rest(timeline)
    timeline.readings["checkout_1"].append(page(2))
    timeline.readings[ENVOY].append(Reading(2, {(EJECTED, frozenset()): 1}))
    assert not at_rest(timeline)
