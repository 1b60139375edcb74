"""Which processes a choice of them needs, and in which order they start."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from tools.devstack.spec import DevstackError, ProcessSpec


def by_name(table: Iterable[ProcessSpec]) -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in table}


def topological(table: Mapping[str, ProcessSpec]) -> list[str]:
    """Every name after what it depends on. Raises DevstackError for a cycle or an unknown name."""
    graph = {name: spec.depends_on for name, spec in table.items()}
    unknown = {needed for needs in graph.values() for needed in needs} - set(table)
    if unknown:
        raise DevstackError(f"The table depends on {', '.join(sorted(unknown))}, which it does not hold.")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise DevstackError(f"The table goes in a circle: {' → '.join(error.args[1])}.") from None


def closure(table: Mapping[str, ProcessSpec], chosen: Iterable[str]) -> list[str]:
    """`chosen` and all that they need, in starting order."""
    pending = list(chosen)
    unknown = [name for name in pending if name not in table]
    if unknown:
        raise DevstackError(f"There is no process {', '.join(unknown)}: choose from {', '.join(table)}.")
    wanted: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending.extend(table[name].depends_on)
    return [name for name in topological(table) if name in wanted]


def dependents(table: Mapping[str, ProcessSpec], name: str) -> set[str]:
    """Who needs `name` directly."""
    return {other for other, spec in table.items() if name in spec.depends_on}
