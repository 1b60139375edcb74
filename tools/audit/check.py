"""Runs the invariants over the facts. What could not be read makes its invariants `unknown`, never `holds`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tools.audit.facts import Facts, Unread
from tools.audit.report import AuditLine, AuditReport, Verdict

SHOWN = 5


def _always(*_: Any) -> bool:
    return True


def _nothing(*_: Any) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True)
class Invariant:
    """`needs` names the facts it reads; `violations` yields one sentence a violation.

    `applies`, given the facts it reads: whether there is anything that could break it. `untold`: what keeps it from
    holding and does not break it. `notes`: what whoever reads the verdict must know, and what changes nothing.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    violations: Callable[..., Iterator[str]]
    applies: Callable[..., bool] = _always
    untold: Callable[..., Iterator[str]] = _nothing
    notes: Callable[..., Iterator[str]] = _nothing


def check(facts: Facts, invariants: Iterable[Invariant]) -> AuditReport:
    return AuditReport([_line(facts, each) for each in invariants])


def _line(facts: Facts, invariant: Invariant) -> AuditLine:
    sources: list[Any] = [getattr(facts, need) for need in invariant.needs]
    unread = [
        f"{need}: {source.why}" for need, source in zip(invariant.needs, sources, strict=True) if _is_unread(source)
    ]
    if unread:
        return AuditLine(invariant.name, Verdict.UNKNOWN, invariant.title, "; ".join(unread))
    found, untold = list(invariant.violations(facts, *sources)), list(invariant.untold(facts, *sources))
    if not (found or untold or invariant.applies(*sources)):
        return AuditLine(invariant.name, Verdict.NOT_APPLICABLE, invariant.title)
    verdict = Verdict.VIOLATED if found else Verdict.UNKNOWN if untold else Verdict.HOLDS
    told = [_shown(each) for each in (found, untold) if each]
    return AuditLine(invariant.name, verdict, invariant.title, "; ".join([*told, *invariant.notes(facts, *sources)]))


def _shown(found: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" (and {len(found) - SHOWN} more)" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _is_unread(source: Any) -> bool:
    return isinstance(source, Unread)
