"""Two sales side by side. Figures of two runs differ by the machine's noise: a ratio near 1 is no difference."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIGURES = (
    *("units", "offered", "accepted", "errors", "oversold", "peak_backlog"),
    *("accept_rate", "drain_rate", "drain_seconds"),
    *("late_send_ms.p99", "consistency_delay_ms.p50", "consistency_delay_ms.p99"),
    *(f"stages_ms.{stage}.p99" for stage in ("checkout", "queue", "settle")),
)
OF_OUTCOME = ("count", "p50", "p99", "p999")


@dataclass(frozen=True)
class Line:
    """`ratio` is second ÷ first; None where one of them is missing or the first is 0."""

    figure: str
    first: float | None
    second: float | None
    ratio: float | None


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Line]:
    """A line a figure; one that either verdict lacks (an outcome nobody was told, an older verdict) is None there."""
    told = dict.fromkeys(outcome for verdict in (first, second) for outcome in verdict.get("outcomes", {}))
    figures = [*FIGURES, *(f"outcomes.{outcome}.{name}" for outcome in told for name in OF_OUTCOME)]
    return [_line(figure, _value(first, figure), _value(second, figure)) for figure in figures]


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What makes the two hard to compare, and verdicts that differ."""
    found = [
        f"{name}: {first.get(name)} against {second.get(name)}"
        for name in ("verdict", "commit", "machine", "asked")
        if first.get(name) != second.get(name)
    ]
    audits = (first.get("audit", {}), second.get("audit", {}))
    return found + [
        f"{name}: {audits[0].get(name)} against {audits[1].get(name)}"
        for name in sorted(audits[0].keys() | audits[1].keys())
        if audits[0].get(name) != audits[1].get(name)
    ]


def _line(figure: str, first: float | None, second: float | None) -> Line:
    return Line(figure, first, second, round(second / first, 2) if first and second is not None else None)


def _value(verdict: Mapping[str, Any], figure: str) -> float | None:
    found: Any = verdict
    for name in figure.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is None else float(found)
