"""Until when somebody waits for the answer to the call being served: the client's deadline or the route's."""

import math
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from meshkit.errors import DeadlinePassed
from meshkit.metrics import CALLS_EXPIRED

# Milliseconds, said by Envoy for each route. Not grpc-timeout: at its end gRPC itself resets the stream, in a race with
# Envoy's time-out, and the gateway takes a reset for a process that died (docs/adr/0017).
HEADER = "x-peakmesh-timeout-ms"
_LONGEST_DIGITS = 9

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


def begin(metadata: Mapping[str, Any], left: float | None) -> None:
    """`left`: seconds of the client's own deadline, None without one. Raises DeadlinePassed where it is over."""
    if left is None:
        left = math.inf
    routed = metadata.get(HEADER)
    if routed is not None and len(routed) <= _LONGEST_DIGITS and routed.isdecimal():
        left = min(left, int(routed) / 1000)
    _ends.set(time.monotonic() + left)
    if left <= 0:
        check()


def left() -> float:
    """Seconds until nobody waits any more; negative afterwards, endless where nobody said."""
    return _ends.get() - time.monotonic()


def check() -> None:
    """Raises DeadlinePassed once nobody waits any more: to be asked before there is an effect."""
    if time.monotonic() >= _ends.get():
        CALLS_EXPIRED.inc()
        raise DeadlinePassed("the call's deadline passed before it was done; nothing was done")
