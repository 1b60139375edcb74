"""What happened in a run, second by second: the calls, the actions, and what the mesh's metrics said."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from prometheus_client import Metric

# The first second of a load, or behind a fault, pays for connections and cold caches; healthy is measured after it.
WARM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """`at`: when it was due. `ms`: from then to its answer, a late send included. `outcome`: an answer's or an
    error's own word."""

    at: float
    call: str
    ms: float
    ok: bool
    outcome: str


@dataclass(frozen=True, slots=True)
class Done:
    """One action, from `begun` to `ended`. `heals`: it takes back what an earlier one did. `target`: of a fault in
    Envoy."""

    begun: float
    ended: float
    words: str
    heals: bool = False
    target: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of one metrics page, by name and labels."""

    at: float
    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def total(self, name: str, **labels: str) -> float:
        """Sum over all that have these labels; 0 where there is none."""
        asked = set(labels.items())
        return sum(value for (found, told), value in self.values.items() if found == name and asked <= told)

    def has(self, name: str) -> bool:
        return any(found == name for found, _ in self.values)

    def labelled(self, name: str, label: str) -> set[str]:
        """The values of a label."""
        told = [dict(labels) for found, labels in self.values if found == name]
        return {labels[label] for labels in told if label in labels}


def reading(at: float, families: Iterable[Metric]) -> Reading:
    samples = [sample for family in families for sample in family.samples]
    return Reading(at, {(each.name, frozenset(each.labels.items())): each.value for each in samples})


@dataclass
class Timeline:
    """Seconds since the load began. `readings`: by source, as watch.py names them. `healthy_from`: from then to the
    fault every breaker was closed. `well_from`: from then to the end they were again, and what must come back was
    back."""

    calls: list[Call] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    healthy_from: float = 0.0
    well_from: float = math.inf
    ended: float = 0.0
    unsettled: int | None = None
    settled_after: float = 0.0

    @property
    def fault_began(self) -> float:
        return self.done[0].begun

    @property
    def fault_ending(self) -> float:
        """When its end began, with the first of the last actions that heal: a process may take seconds to start."""
        last = list(takewhile(lambda each: each.heals, reversed(self.done)))
        return last[-1].begun if last else self.done[-1].ended

    @property
    def fault_over(self) -> float:
        return self.done[-1].ended

    def between(self, call: str, start: float, end: float) -> list[Call]:
        return [each for each in self.calls if each.call == call and start <= each.at < end]

    def healthy(self, call: str) -> list[Call]:
        """From both sides of the fault: a machine that gets slower, or faster, does so for both."""
        before = self.between(call, self.healthy_from + WARM_SECONDS, self.fault_began)
        return before + self.between(call, self.well_from + WARM_SECONDS, self.ended)

    def in_fault(self, call: str, settled: float) -> list[Call]:
        """From `settled` seconds after its begin."""
        return self.between(call, self.fault_began + settled, self.fault_ending)

    def before_fault(self, source: str) -> Reading | None:
        earlier = [each for each in self.readings.get(source, ()) if each.at <= self.fault_began]
        return earlier[-1] if earlier else None

    def since_fault(self, source: str) -> list[Reading]:
        return [each for each in self.readings.get(source, ()) if each.at > self.fault_began]


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; `share`: 0 to 1. NaN of nothing."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan
