"""The verdict, pure: what clients were told, what the samples show, what the rows say, what the audit found."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from tools.sale.rows import OrderTimes, stages
from tools.sale.watch import Sample

History = Sequence[Mapping[str, Any]]
# An invariant's `invariant` (I1 …), `verdict`, `title` and `detail` each.
AuditLines = Sequence[Mapping[str, str]]


def percentiles(values: Sequence[float], names: Mapping[str, float]) -> dict[str, float | None]:
    """Nearest rank, rounded to 0.01; None where there is no value."""
    ordered = sorted(values)
    if not ordered:
        return dict.fromkeys(names)
    rank = {name: max(1, math.ceil(share * len(ordered))) - 1 for name, share in names.items()}
    return {name: round(ordered[place], 2) for name, place in rank.items()}


BODY = {"p50": 0.50, "p99": 0.99}
TAIL = {"p50": 0.50, "p99": 0.99, "p999": 0.999}


def last_answers(history: History) -> dict[str, Mapping[str, Any]]:
    """The final answer of each request."""
    return {entry["request_id"]: entry for entry in history if entry["type"] != "invoke"}


def latencies(history: History) -> dict[str, list[float]]:
    """Milliseconds from the scheduled tap to the final answer, by outcome."""
    found: dict[str, list[float]] = defaultdict(list)
    for entry in last_answers(history).values():
        found[entry["outcome"]].append(entry["latency_ms"])
    return found


def outcomes(history: History) -> dict[str, dict[str, Any]]:
    """By what buyers were told at last, the most frequent first: how many, and how long it took them to know."""
    found = sorted(latencies(history).items(), key=lambda each: (-len(each[1]), each[0]))
    return {outcome: {"count": len(times)} | percentiles(times, TAIL) for outcome, times in found}


def consistency_delays(history: History, times: Sequence[OrderTimes]) -> list[float]:
    """Milliseconds from the answer QUEUED to TO_SHIP."""
    settled_ms = {each.order_id: each.ended_ms for each in times}
    queued = {entry["order_id"]: entry["t"] * 1000 for entry in history if entry.get("outcome") == "QUEUED"}
    return [settled_ms[order_id] - at for order_id, at in queued.items() if order_id in settled_ms]


def judge(
    *,
    sale_id: str,
    units: int,
    history: History,
    samples: Sequence[Sample],
    times: Sequence[OrderTimes],
    audit: AuditLines,
    asked: Mapping[str, Any],
    checkout_ms: Mapping[str, float | None],
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """verdict.json. `holds` needs the whole audit, every accepted order persisted and ended, and no oversell.

    `asked`: the crowd's shape, taps a second, and orders a second into the database. `checkout_ms`: quantiles of
    checkout's own histogram.
    """
    final, by_outcome, last = last_answers(history), latencies(history), samples[-1]
    answered = max((entry["t"] for entry in final.values()), default=0.0) - min(entry["t"] for entry in history)
    counts = _counts(final)
    told = {
        "sale_id": sale_id,
        "units": units,
        **counts,
        "persisted": last.persisted,
        "paid": last.paid,
        "payment_failed": last.payment_failed,
        "oversold": max(0, last.paid - units),
        "peak_backlog": max(sample.backlog for sample in samples),
        "outcomes": outcomes(history),
        "latency_ms": {
            "accepted": percentiles(by_outcome["QUEUED"], TAIL),
            "sold_out": percentiles(by_outcome["SOLD_OUT"], TAIL),
        },
        "late_send_ms": percentiles([e["late_ms"] for e in history if e["type"] == "invoke"], {"p99": 0.99}),
        "accept_rate": round(counts["accepted"] / _busy_seconds(history), 1),
        "offered_rate": round(len(final) / max(answered, 0.001), 1),
        "drain_seconds": round(_reached(samples, lambda sample: sample.ended), 2),
        "drain_rate": round(last.persisted / max(_reached(samples, lambda sample: sample.persisted), 0.001), 1),
        "consistency_delay_ms": percentiles(consistency_delays(history, times), BODY),
        "asked": dict(asked),
        "stages_ms": {"checkout": dict(checkout_ms)} | {at: percentiles(ms, BODY) for at, ms in stages(times).items()},
        "audit": {line["invariant"]: line["verdict"] for line in audit},
        "audit_lines": [dict(line) for line in audit],
    }
    why = list(_disagreements(told, last))
    return told | {"verdict": _verdict({line["verdict"] for line in audit}, why), "why": why} | dict(origin)


def _counts(final: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """`accepted` in orders, the others in requests; `errors` is what is none of the three answers."""
    told = Counter(entry["outcome"] for entry in final.values())
    orders = {entry["order_id"] for entry in final.values() if entry["outcome"] == "QUEUED"}
    pending, sold_out = told["PENDING"], told["SOLD_OUT"]
    return {
        "offered": len(final),
        "accepted": len(orders),
        "pending": pending,
        "sold_out": sold_out,
        "errors": len(final) - len(orders) - pending - sold_out,
    }


def _disagreements(told: Mapping[str, Any], last: Sample) -> Iterator[str]:
    """Where the clients' side and the database's do not fit, in words."""
    accepted, pending, persisted = told["accepted"], told["pending"], told["persisted"]
    if persisted < accepted:
        yield f"{accepted - persisted} accepted orders have no row"
    if persisted > accepted + pending:
        yield f"{persisted - accepted - pending} rows that no buyer was told of"
    if last.ended < persisted:
        yield f"{persisted - last.ended} orders have not ended"
    if told["oversold"]:
        yield f"{told['oversold']} units were sold that did not exist"


def _verdict(audit: Set[str], why: Sequence[str]) -> str:
    if "violated" in audit or why:
        return "violated"
    return "unknown" if "unknown" in audit or not audit else "holds"


def _busy_seconds(history: History) -> float:
    """From the first tap to the last order accepted."""
    first: float = min(entry["t"] for entry in history)
    last: float = max((entry["t"] for entry in history if entry.get("outcome") == "QUEUED"), default=first)
    return max(last - first, 0.001)


def _reached(samples: Sequence[Sample], count: Callable[[Sample], int]) -> float:
    """Seconds at which the count was what it is at the end."""
    return next(sample.at for sample in samples if count(sample) == count(samples[-1]))
