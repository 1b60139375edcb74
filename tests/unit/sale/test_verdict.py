"""The verdict's arithmetic, and each way not to hold."""

from dataclasses import replace
from typing import Any

import pytest

from tools.sale.rows import OrderTimes
from tools.sale.verdict import judge, percentiles
from tools.sale.watch import Sample

LAST = Sample(
    at=9.0, offered=4, accepted=2, pending=0, sold_out=2, errors=0, persisted=2, paid=2, ended=2, payment_failed=0
)
SAMPLES = [replace(LAST, at=1.0, accepted=2, persisted=0, paid=0, ended=0), replace(LAST, at=5.0, ended=1), LAST]
HOLDS = {f"I{number}": "holds" for number in range(1, 14)}


def _call(request: str, outcome: str, at: float, latency: float, order: str = "") -> list[dict[str, Any]]:
    kind = "ok" if outcome in ("QUEUED", "PENDING") else "fail"
    return [
        {"t": at, "type": "invoke", "request_id": request, "late_ms": 1.0},
        {
            "t": at + latency / 1000,
            "type": kind,
            "request_id": request,
            "order_id": order,
            "outcome": outcome,
            "latency_ms": latency,
        },
    ]


HISTORY = [
    *_call("r1", "QUEUED", 100.0, 10.0, "o1"),
    *_call("r2", "PENDING", 100.1, 1000.0, "o2"),
    *_call("r2", "QUEUED", 101.5, 1500.0, "o2")[1:],
    *_call("r3", "SOLD_OUT", 100.2, 2.0),
    *_call("r4", "SOLD_OUT", 100.3, 4.0),
]
UNLUCKY = [
    *_call("r5", "LIMIT_REACHED", 100.4, 7.0),
    *_call("r6", "DEADLINE", 100.4, 5000.0),
    *_call("r7", "PENDING", 100.4, 900.0, "o7"),
]


def _judge(
    samples: list[Sample] = SAMPLES, audit: dict[str, str] = HOLDS, history: list[dict[str, Any]] = HISTORY
) -> dict[str, Any]:
    return judge(
        sale_id="sale",
        units=2,
        history=history,
        samples=samples,
        times=[OrderTimes("o1", 100_010, 100_500, 101_010), OrderTimes("o2", 103_000, 104_000, 105_400)],
        asked={"shape": "surge", "rate": 10.0, "drain_rate": 3.0},
        checkout_ms={"p50": 5.0, "p99": 25.0},
        audit=[{"invariant": name, "verdict": said, "title": "t", "detail": ""} for name, said in audit.items()],
        origin={"commit": "abc", "machine": {}},
    )


def test_what_was_told_and_what_became_of_it() -> None:
    verdict = _judge()
    counts = {name: verdict[name] for name in ("offered", "accepted", "pending", "sold_out", "errors", "persisted")}
    assert counts == {"offered": 4, "accepted": 2, "pending": 0, "sold_out": 2, "errors": 0, "persisted": 2}
    assert verdict["peak_backlog"] == 2
    assert verdict["latency_ms"]["accepted"] == {"p50": 10.0, "p99": 1500.0, "p999": 1500.0}
    assert verdict["latency_ms"]["sold_out"]["p50"] == 2.0
    assert verdict["consistency_delay_ms"] == {"p50": 1000.0, "p99": 2400.0}
    assert verdict["stages_ms"]["queue"] == {"p50": 490, "p99": 1000}
    assert verdict["stages_ms"]["settle"] == {"p50": 510, "p99": 1400}
    assert verdict["drain_seconds"] == 9.0
    assert verdict["verdict"] == "holds"


def test_every_kind_of_answer_has_its_count_and_its_latencies() -> None:
    told = _judge(history=[*HISTORY, *UNLUCKY])["outcomes"]
    assert list(told) == ["QUEUED", "SOLD_OUT", "DEADLINE", "LIMIT_REACHED", "PENDING"]
    assert told["SOLD_OUT"] == {"count": 2, "p50": 2.0, "p99": 4.0, "p999": 4.0}
    assert told["LIMIT_REACHED"] == {"count": 1, "p50": 7.0, "p99": 7.0, "p999": 7.0}
    assert told["DEADLINE"]["p99"] == 5000.0
    assert told["PENDING"]["p50"] == 900.0


def test_every_field_of_the_verdict_is_there() -> None:
    promised = (
        "sale_id units offered accepted pending sold_out errors persisted paid payment_failed peak_backlog latency_ms"
        " late_send_ms accept_rate drain_seconds drain_rate consistency_delay_ms outcomes audit audit_lines"
        " verdict commit machine"
    )
    assert set(promised.split()) <= set(_judge())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"persisted": 1, "ended": 1, "paid": 1}, "1 accepted orders have no row"),
        ({"persisted": 3, "ended": 3}, "1 rows that no buyer was told of"),
        ({"ended": 1}, "1 orders have not ended"),
        ({"paid": 3, "persisted": 3, "ended": 3}, "1 units were sold that did not exist"),
    ],
)
def test_a_disagreement_is_told_and_violates(changes: dict[str, int], words: str) -> None:
    verdict = _judge([*SAMPLES[:2], replace(LAST, **changes)])
    assert words in verdict["why"]
    assert verdict["verdict"] == "violated"


@pytest.mark.parametrize(
    ("audit", "expected"),
    [(HOLDS | {"I7": "violated"}, "violated"), (HOLDS | {"I4": "unknown"}, "unknown"), ({}, "unknown")],
)
def test_the_verdict_is_no_better_than_the_audit(audit: dict[str, str], expected: str) -> None:
    assert _judge(audit=audit)["verdict"] == expected


def test_percentiles_are_of_the_nearest_rank() -> None:
    names = {"p50": 0.5, "p99": 0.99}
    assert percentiles([float(n) for n in range(1, 101)], names) == {"p50": 50.0, "p99": 99.0}
    assert percentiles([], names) == {"p50": None, "p99": None}
