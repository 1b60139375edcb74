"""Runs the checks over the facts. What could not be read is told by `reach`, and every check of it is a problem."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.preflight.facts import Facts, Unread
from tools.preflight.report import Finding, Level, Line, PreflightReport


@dataclass(frozen=True)
class Check:
    """`fine`: the words where nothing was found. `needs` names the facts it reads; `find` yields what is wrong."""

    name: str
    fine: str
    needs: tuple[str, ...]
    find: Callable[..., Iterator[Finding]]


def preflight(facts: Facts, checks: Iterable[Check]) -> PreflightReport:
    return PreflightReport([line for check in checks for line in _lines(facts, check)])


def _lines(facts: Facts, check: Check) -> list[Line]:
    sources: list[Any] = [getattr(facts, need) for need in check.needs]
    unread = [name for name, source in zip(check.needs, sources, strict=True) if isinstance(source, Unread)]
    if unread:
        return [Line(check.name, Level.PROBLEM, f"not checked: {', '.join(unread)} could not be read", "see `reach`")]
    found = [Line(check.name, each.level, each.words, each.todo) for each in check.find(facts, *sources)]
    return found or [Line(check.name, Level.OK, check.fine)]
