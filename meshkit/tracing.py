"""The W3C trace context of the call being served: from Envoy's request id to Kafka's headers and the logs."""

import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

# What a stranger sends goes on into Kafka's headers and payment's calls, where gRPC takes no metadata but ASCII.
_VALID = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_TRACE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)

_current: ContextVar[str] = ContextVar("traceparent", default="")


def begin(metadata: Mapping[str, Any]) -> None:
    """Takes over the caller's `traceparent`; else makes one whose trace id is Envoy's `x-request-id`, or random."""
    given = valid(metadata.get("traceparent", ""))
    if not given:
        trace_id = str(metadata.get("x-request-id", "")).replace("-", "")
        trace_id = trace_id if _TRACE_ID.fullmatch(trace_id) else secrets.token_hex(16)
        given = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    _current.set(given)


def valid(given: str) -> str:
    """`given` where it is a W3C traceparent, else empty."""
    return given if _VALID.fullmatch(given) else ""


def traceparent() -> str:
    """Empty outside of a call."""
    return _current.get()
