"""A verdict as a sale writes it."""

from typing import Any

from tools.sale.watch import Sample


def verdict(**changes: Any) -> dict[str, Any]:
    tail = {"p50": 10.0, "p99": 100.0, "p999": 140.0}
    base: dict[str, Any] = {
        "sale_id": "sale-1",
        "verdict": "holds",
        "why": [],
        "units": 200,
        "offered": 1000,
        "accepted": 200,
        "pending": 0,
        "sold_out": 790,
        "errors": 10,
        "persisted": 200,
        "paid": 200,
        "payment_failed": 0,
        "oversold": 0,
        "peak_backlog": 150,
        "outcomes": {
            "SOLD_OUT": {"count": 790} | tail,
            "QUEUED": {"count": 200} | tail,
            "LIMIT_REACHED": {"count": 7, "p50": 11.0, "p99": 12.0, "p999": 13.0},
            "DEADLINE": {"count": 3, "p50": 5001.0, "p99": 5002.0, "p999": 5003.0},
        },
        "latency_ms": {"accepted": tail, "sold_out": tail},
        "late_send_ms": {"p99": 5.0},
        "asked": {"shape": "surge", "rate": 100.0, "drain_rate": 33.0},
        "stages_ms": {
            "checkout": {"p50": 5.0, "p99": 25.0},
            "queue": {"p50": 3000.0, "p99": 6000.0},
            "settle": {"p50": 400.0, "p99": 900.0},
        },
        "accept_rate": 50.0,
        "drain_seconds": 12.0,
        "drain_rate": 32.5,
        "consistency_delay_ms": {"p50": 3500.0, "p99": 7000.0},
        "audit": {"I1": "holds", "I4": "holds"},
        "audit_lines": [
            {"invariant": "I1", "verdict": "holds", "title": "stock is conserved", "detail": ""},
            {"invariant": "I4", "verdict": "holds", "title": "every order promised has its row", "detail": ""},
        ],
        "commit": "abc",
        "machine": {"cores": 2, "memory_gb": 8.0, "kernel": "6.1", "python": "3.11.2"},
    }
    return base | changes


def samples() -> list[Sample]:
    rows = [(0.0, 0, 0, 0), (1.0, 500, 150, 0), (2.0, 1000, 200, 60), (6.0, 1000, 200, 200)]
    return [
        Sample(
            at=at,
            offered=offered,
            accepted=accepted,
            pending=0,
            sold_out=offered - accepted,
            errors=0,
            persisted=persisted,
            paid=persisted,
            ended=persisted,
            payment_failed=0,
        )
        for at, offered, accepted, persisted in rows
    ]
