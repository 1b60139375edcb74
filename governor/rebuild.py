"""A rebuild of lost stock, as far as it has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class RebuildState(StrEnum):
    """Of one offer in one rebuild, in this order.

    BEGUN   the markers are not known to be written; nothing may be sold
    FENCED  they are; order_worker has to come to them, then the rows are loaded, as often as it takes
    LOADED  Redis is whole; it may have been opened already, so that it is never loaded again in this epoch
    DONE    opened, where its sale is open
    """

    BEGUN = "BEGUN"
    FENCED = "FENCED"
    LOADED = "LOADED"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Rebuild:
    """`epoch` is the one that it starts; `offers`: the state of each, by number."""

    epoch: int
    offers: Mapping[int, RebuildState]

    def in_state(self, state: RebuildState) -> list[int]:
        return sorted(number for number, found in self.offers.items() if found is state)


class Phase(StrEnum):
    DRAINING = "DRAINING"
    CONSUMING = "CONSUMING"
    LOADING = "LOADING"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Progress:
    """`outbox`: orders that Kafka has not yet. `passed` of `markers`: partitions that order_worker has read so far."""

    phase: Phase
    epoch: int
    done: int
    offers: int
    outbox: int = 0
    passed: int = 0
    markers: int = 0
