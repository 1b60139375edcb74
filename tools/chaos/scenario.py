"""A scenario as a file says it: load, what is done to the mesh and when, and what must hold."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.chaos.expect import Expectation
from tools.chaos.faults import Fault

HOME = Path(__file__).with_name("scenarios")
HEALING = frozenset({"clear", "start", "thaw", "calm"})


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Arm(Strict):
    """A fault in Envoy, on a target of envoy/fault_targets.py."""

    at: float = Field(ge=0)
    do: Literal["arm"]
    target: str
    percent: int = 100
    abort: str = ""
    delay_ms: int = 0

    @model_validator(mode="after")
    def _is_a_fault(self) -> "Arm":
        _ = self.fault  # raises what is wrong with it
        return self

    @property
    def fault(self) -> Fault:
        return Fault(self.target, self.percent, self.abort, self.delay_ms)

    @property
    def words(self) -> str:
        return f"{self.target}: {self.fault.words}"


class Clear(Strict):
    at: float = Field(ge=0)
    do: Literal["clear"]
    target: str

    @property
    def words(self) -> str:
        return f"{self.target}: the fault ends"


class OnProcess(Strict):
    """`kill`: SIGKILL, and down until `start`. `crash`: SIGKILL, started again at once. `freeze`: SIGSTOP until `thaw`.
    `restart`: SIGTERM and anew."""

    at: float = Field(ge=0)
    do: Literal["kill", "start", "crash", "freeze", "thaw", "restart"]
    process: str

    @property
    def words(self) -> str:
        return f"{self.do} {self.process}"


class Storm(Strict):
    """A load beside the scenario's own, from its time until its `calm`."""

    at: float = Field(ge=0)
    do: Literal["storm"]
    call: str
    rate: float = Field(gt=0, le=500)

    @property
    def words(self) -> str:
        return f"{self.rate:g} calls of {self.call} a second"


class Calm(Strict):
    at: float = Field(ge=0)
    do: Literal["calm"]
    call: str

    @property
    def words(self) -> str:
        return f"no more calls of {self.call}"


Action = Annotated[Arm | Clear | OnProcess | Storm | Calm, Field(discriminator="do")]


class Scenario(Strict):
    """Seconds from the start of the load. Until the first action all is well; the last action ends the fault. The load
    goes on until what must come back is back and every breaker closed, and from there for `after` more."""

    name: str
    says: str
    load: dict[str, Annotated[float, Field(gt=0, le=500)]] = Field(min_length=1)
    actions: list[Action] = Field(min_length=1)
    after: float = Field(default=5, gt=0, le=120)
    expects: list[Expectation] = Field(min_length=1)

    @property
    def calls(self) -> set[str]:
        return set(self.load) | {action.call for action in self.actions if isinstance(action, Storm)}

    @model_validator(mode="after")
    def _fits_together(self) -> "Scenario":
        times = [action.at for action in self.actions]
        if times != sorted(times):
            raise ValueError("actions must be in the order of their times")
        unknown = {each.call for each in self.expects if each.call} - self.calls
        if unknown:
            raise ValueError(f"expects something of {', '.join(sorted(unknown))}, which is not in the load")
        return self


def shipped() -> list[str]:
    return sorted(path.stem for path in HOME.glob("*.yaml"))


def read_scenario(name: str) -> Scenario:
    """One of ours by its name, or a file. Raises FileNotFoundError, ValueError that names the line or the field."""
    path = HOME / f"{name}.yaml" if name in shipped() else Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"{name!r} is no scenario and no file; there are: {', '.join(shipped())}")
    try:
        said = yaml.safe_load(path.read_text())
        return Scenario.model_validate({"name": path.stem} | said if isinstance(said, dict) else said)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'scenario'}: {each['msg']}" for each in error.errors())
        raise ValueError(f"{path}: {told}") from None
