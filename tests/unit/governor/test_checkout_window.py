"""Rates and the p99 from checkout's counters."""

import math

import pytest

from governor.checkout_window import CheckoutWindow, Growth, Sample, quantile, readings_of
from governor.read_signals import ReadSignals, sample_of
from governor.tier import UNKNOWN, Reading, Signal

PAGE = """\
# HELP peakmesh_checkout_answers_total PlaceOrder by what was answered
# TYPE peakmesh_checkout_answers_total counter
peakmesh_checkout_answers_total{answer="QUEUED"} 40.0
peakmesh_checkout_answers_total{answer="PENDING"} 2.0
peakmesh_checkout_answers_total{answer="SOLD_OUT"} 900.0
# TYPE peakmesh_checkout_cart_lines_total counter
peakmesh_checkout_cart_lines_total{answer="QUEUED"} 8.0
# TYPE peakmesh_checkout_in_progress gauge
peakmesh_checkout_in_progress 7.0
# TYPE grpc_server_handling_seconds histogram
grpc_server_handling_seconds_bucket{grpc_method="PlaceOrder",grpc_service="s",grpc_type="UNARY",le="0.005"} 30.0
grpc_server_handling_seconds_bucket{grpc_method="PlaceOrder",grpc_service="s",grpc_type="UNARY",le="+Inf"} 42.0
grpc_server_handling_seconds_bucket{grpc_method="CheckoutCart",grpc_service="s",grpc_type="UNARY",le="+Inf"} 5.0
"""


def sample(at: float, accepted: float, in_flight: float = 0, slow: float = 0) -> Sample:
    """`slow` of the accepted took 0.1 to 0.2 s, the others less than 0.01 s."""
    return Sample(
        at, accepted, in_flight, {0.01: accepted - slow, 0.1: accepted - slow, 0.2: accepted, math.inf: accepted}
    )


def test_a_page_of_checkouts_metrics_is_a_sample() -> None:
    assert sample_of(PAGE, 3.0) == Sample(3.0, 50.0, 7.0, {0.005: 30.0, math.inf: 42.0})


@pytest.mark.parametrize("page", ["", "hello", "<html>", 'peakmesh_checkout_answers_total{answer="QUEUED"} 1.0\n'])
def test_another_page_is_none(page: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        sample_of(page, 0.0)


def test_a_rate_is_taken_over_the_window_alone() -> None:
    window = CheckoutWindow(2.0)
    for at, accepted in enumerate([0, 1000, 1000, 1100, 1300]):
        window.add(sample(at, accepted))
    assert readings_of([window.growth()])[Signal.ACCEPT_RATE] == Reading(150.0)


def test_one_look_is_not_enough_and_a_failed_one_tells_nothing() -> None:
    window = CheckoutWindow(5.0)
    assert window.growth() is None
    window.add(sample(0, 10))
    assert window.growth() is None
    window.add(sample(1, 20))
    assert window.growth() is not None
    window.add(None)
    assert window.growth() is None
    window.add(sample(3, 50))
    growth = window.growth()
    assert growth is not None
    assert growth.accepted_a_second == pytest.approx(40 / 3), "the gap is part of the window"


def test_a_process_started_anew_begins_a_new_window() -> None:
    window = CheckoutWindow(5.0)
    for at, accepted in ((0, 1000), (1, 2000), (2, 10)):
        window.add(sample(at, accepted))
    assert window.growth() is None
    window.add(sample(3, 40))
    assert readings_of([window.growth()])[Signal.ACCEPT_RATE] == Reading(30.0)


def test_processes_are_added_up_and_without_one_of_them_it_is_the_least() -> None:
    one, two = CheckoutWindow(5.0), CheckoutWindow(5.0)
    for window, in_flight in ((one, 3), (two, 4)):
        window.add(sample(0, 0))
        window.add(sample(1, 100, in_flight, slow=50))
    both = readings_of([one.growth(), two.growth()])
    assert both[Signal.ACCEPT_RATE] == Reading(200.0)
    assert both[Signal.IN_FLIGHT] == Reading(7)
    assert both[Signal.CHECKOUT_P99_MS].value == pytest.approx(198)
    two.add(None)
    part = readings_of([one.growth(), two.growth()])
    assert part[Signal.ACCEPT_RATE] == Reading(100.0, at_least=True)
    one.add(None)
    assert set(readings_of([one.growth(), two.growth()]).values()) == {UNKNOWN}


def test_the_p99_lies_straight_between_two_edges_and_of_few_calls_there_is_none() -> None:
    assert quantile({0.1: 0, 0.2: 100, math.inf: 100}, 0.99) == pytest.approx(0.199)
    assert quantile({0.1: 99, 0.2: 99, math.inf: 100}, 0.99) == pytest.approx(0.1)
    assert quantile({0.1: 0, 0.2: 50, math.inf: 100}, 0.99) == 0.2, "beyond the last edge"
    assert quantile({0.1: 0, 0.2: 0, math.inf: 19}, 0.99) == 0.0
    assert quantile({}, 0.99) == 0.0
    assert readings_of([Growth(0.0, 0.0, {})])[Signal.CHECKOUT_P99_MS] == Reading(0.0)


class Queue:
    def __init__(self, lag: int | None, wait: float | None) -> None:
        self._lag, self._wait = lag, wait

    def backlog(self) -> int | None:
        return self._lag

    def wait_seconds(self) -> float | None:
        return self._wait


async def test_what_cannot_be_read_is_unknown_and_the_rest_is_read() -> None:
    pages = {"one": PAGE, "two": PAGE}

    def scrape(target: str) -> str:
        if target not in pages:
            raise ConnectionRefusedError(target)
        return pages[target]

    signals = ReadSignals(["one", "two"], Queue(12, math.inf), 5.0, scrape)
    await signals.look()
    await signals.look()
    readings = signals.readings()
    assert readings[Signal.IN_FLIGHT] == Reading(14.0)
    assert (readings[Signal.KAFKA_LAG], readings[Signal.DRAIN_ETA_SECONDS]) == (Reading(12.0), Reading(math.inf))
    del pages["two"]
    await signals.look()
    assert signals.readings()[Signal.IN_FLIGHT] == Reading(7.0, at_least=True)
    pages.clear()
    await signals.look()
    assert signals.readings()[Signal.IN_FLIGHT] == UNKNOWN
    silent = ReadSignals(["one"], Queue(None, None), 5.0, scrape)
    await silent.look()
    assert set(silent.readings().values()) == {UNKNOWN}
