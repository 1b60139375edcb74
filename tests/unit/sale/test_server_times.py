"""Quantiles from two readings of a histogram."""

from tools.sale.server_times import quantiles_ms

INF = float("inf")
NAMES = {"p50": 0.5, "p99": 0.99}


def test_only_the_calls_between_the_two_readings_count() -> None:
    before, after = {0.01: 100.0, 0.1: 100.0, INF: 100.0}, {0.01: 100.0, 0.1: 200.0, INF: 200.0}
    assert quantiles_ms(before, after, NAMES) == {"p50": 100.0, "p99": 100.0}


def test_what_cannot_be_told_is_none() -> None:
    assert quantiles_ms({}, {}, NAMES) == {"p50": None, "p99": None}
    assert quantiles_ms({0.1: 5.0, INF: 5.0}, {0.1: 5.0, INF: 9.0}, NAMES) == {"p50": None, "p99": None}
    assert quantiles_ms({0.1: 9.0, INF: 9.0}, {0.1: 1.0, INF: 1.0}, NAMES) == {"p50": None, "p99": None}
