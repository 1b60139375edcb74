"""What a preflight says: a line a check, and an exit status."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """Something to look at. `todo`: what an operator does about it."""

    level: Level
    words: str
    todo: str


@dataclass(frozen=True)
class Line:
    check: str
    level: Level
    words: str
    todo: str = ""


@dataclass(frozen=True)
class PreflightReport:
    lines: Sequence[Line]

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 warnings, 2 problems."""
        levels = {line.level for line in self.lines}
        return 2 if Level.PROBLEM in levels else 1 if Level.WARNING in levels else 0

    def to_json(self) -> dict[str, Any]:
        return {"lines": [asdict(line) for line in self.lines], "exit_code": self.exit_code}


def warning(words: str, todo: str) -> Finding:
    return Finding(Level.WARNING, words, todo)


def problem(words: str, todo: str) -> Finding:
    return Finding(Level.PROBLEM, words, todo)
