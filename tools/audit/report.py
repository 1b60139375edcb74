"""What an audit says: one line an invariant, and an exit status."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True)
class AuditLine:
    """One invariant's verdict; `detail` names what was found or what could not be read."""

    invariant: str
    verdict: Verdict
    title: str
    detail: str = ""


@dataclass(frozen=True)
class AuditReport:
    lines: Sequence[AuditLine]

    @property
    def exit_code(self) -> int:
        """0 all hold, 1 something is violated, 2 something could not be told."""
        verdicts = {line.verdict for line in self.lines}
        if Verdict.VIOLATED in verdicts:
            return 1
        return 2 if Verdict.UNKNOWN in verdicts else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "audit": {line.invariant: line.verdict.value for line in self.lines},
            "lines": [asdict(line) for line in self.lines],
            "exit_code": self.exit_code,
        }
