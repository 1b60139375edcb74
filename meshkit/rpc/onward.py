"""What a call made on behalf of the one being served says of it: worth, trace, and until when somebody waits."""

import math

from meshkit.rpc import criticality, deadline
from meshkit.rpc.client import Metadata
from meshkit.tracing import traceparent

# Off each hop's time: for the way back, and for what the caller does with the answer.
SHAVED_SECONDS = 0.005


def onward() -> Metadata:
    """Outside of a call: CORE, without an end."""
    told = [(criticality.HEADER, str(criticality.current()))]
    left = deadline.left()
    if left < math.inf:
        told.append((deadline.HEADER, str(max(0, int((left - SHAVED_SECONDS) * 1000)))))
    trace = traceparent()
    if trace:
        told.append(("traceparent", trace))
    return told
