"""One thing that happened to an order."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Event:
    """`at_ms`: Unix ms by the clock of `source`; clocks differ, so neighbours may change places."""

    at_ms: int
    source: str
    what: str
    detail: str = ""

    @property
    def time(self) -> str:
        return utc(self.at_ms)


def utc(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
