"""The headers that go with an order from topic to topic, beside what each record says of itself.

`criticality` and `call-deadline-ms` are those of the call it came by, `deadline-ms` is the order's own (both in Unix
ms). They are for whoever reads the log: an order that was accepted is dropped for neither.
"""

from collections.abc import Mapping

from meshkit.kafka.publisher import Headers
from meshkit.rpc import criticality
from meshkit.rpc.criticality import Criticality

CRITICALITY = "criticality"
ORDER_DEADLINE, CALL_DEADLINE = "deadline-ms", "call-deadline-ms"
TRACE = "traceparent"
_IF_TOLD = (TRACE, ORDER_DEADLINE, CALL_DEADLINE)
_TOLD = {each: (CRITICALITY, each.encode()) for each in Criticality}
CORE = _TOLD[Criticality.CORE]


def of_this_call() -> tuple[str, bytes]:
    """The criticality of the call being served, as a header; outside of one CORE."""
    return _TOLD[criticality.current()]


def carried(headers: Mapping[str, bytes]) -> Headers:
    """What the next record has of this one's. Who does not say its criticality is CORE."""
    told = [(name, headers[name]) for name in _IF_TOLD if name in headers]
    return ((CRITICALITY, headers.get(CRITICALITY, CORE[1])), *told)
