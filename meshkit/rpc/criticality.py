"""What may be shed before what: said by Envoy for each route, in metadata, held to by each server, and carried on."""

from collections.abc import Mapping
from contextvars import ContextVar
from enum import StrEnum
from typing import Any

HEADER = "x-peakmesh-criticality"


class Criticality(StrEnum):
    """Of a call nobody says it of, CORE: a caller inside the mesh."""

    CORE = "CORE"
    SHEDDABLE = "SHEDDABLE"


_current: ContextVar[Criticality] = ContextVar("criticality", default=Criticality.CORE)


def begin(metadata: Mapping[str, Any]) -> Criticality:
    """What the call being served is from now on, for the calls and records that come of it."""
    told = Criticality.SHEDDABLE if metadata.get(HEADER) == Criticality.SHEDDABLE else Criticality.CORE
    _current.set(told)
    return told


def current() -> Criticality:
    return _current.get()
