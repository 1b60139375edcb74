"""One line of what a scenario asserts, and its answer."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Verdict:
    """One line of the answer."""

    held: bool
    expected: str
    measured: str


class Expected(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    call: str = ""
