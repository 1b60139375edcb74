"""What may be shed before what: said by Envoy for each route, in metadata, and held to by each server."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

HEADER = "x-peakmesh-criticality"


class Criticality(StrEnum):
    """Of a call nobody says it of, CORE: a caller inside the mesh."""

    CORE = "CORE"
    SHEDDABLE = "SHEDDABLE"


def is_sheddable(metadata: Mapping[str, Any]) -> bool:
    return metadata.get(HEADER) == Criticality.SHEDDABLE
