"""The W3C trace context of the call being served: from Envoy's request id to Kafka's headers and the logs."""

import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_current: ContextVar[str] = ContextVar("traceparent", default="")


def begin(metadata: Mapping[str, Any]) -> None:
    """Takes over the caller's `traceparent`; else makes one whose trace id is Envoy's `x-request-id`, or random."""
    given = metadata.get("traceparent")
    if not given:
        trace_id = str(metadata.get("x-request-id", "")).replace("-", "")
        given = f"00-{trace_id if len(trace_id) == 32 else secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    _current.set(str(given))


def traceparent() -> str:
    """Empty outside of a call."""
    return _current.get()
