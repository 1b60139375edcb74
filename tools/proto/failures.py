"""How a method can fail, as OpenAPI responses: the reasons its comment names, and those any call may meet."""

import re
from collections.abc import Mapping
from typing import Any

from envoy.http_status import http_status
from meshkit.errors import BY_REASON

ANY_CALL = (
    *("INVALID_FIELD", "UNDECODABLE", "UNAUTHENTICATED", "ROLE_REQUIRED", "TOO_LARGE", "OVERLOADED", "INTERNAL"),
    *("DEPENDENCY_UNAVAILABLE", "DEADLINE"),
)
_TELLING_WHEN = (429, 503)
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait, where known.", "schema": {"type": "integer"}}}
ERROR: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (google.rpc.Status); docs/errors.md says for each reason what a client does.",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "integer", "description": "The gRPC status code."},
        "message": {"type": "string", "description": "For people."},
        "details": {
            "type": "array",
            "description": "One ErrorInfo, and BadRequest or RetryInfo where they apply; `@type` tells which.",
            "items": {
                "type": "object",
                "required": ["@type"],
                "properties": {
                    "@type": {"type": "string"},
                    "reason": {"type": "string", "description": "ErrorInfo: for programs.", "enum": sorted(BY_REASON)},
                    "domain": {"type": "string", "description": "ErrorInfo: `peakmesh`."},
                    "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
                    "field_violations": {
                        "type": "array",
                        "description": "BadRequest: each field that is wrong.",
                        "items": {
                            "type": "object",
                            "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
                        },
                    },
                    "retry_delay": {"type": "string", "description": "RetryInfo: `1.5s`."},
                },
            },
        },
    },
}
_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def failures(comment: str, comments: Mapping[str, str]) -> dict[str, Any]:
    """HTTP status → response. `comment` is the method's."""
    reasons = dict.fromkeys([*re.findall(r"\b[A-Z_]{6,}\b", comment), *ANY_CALL])
    by_status: dict[int, list[str]] = {}
    for reason in reasons:
        if reason in BY_REASON:
            by_status.setdefault(http_status(BY_REASON[reason]), []).append(f"`{reason}`: {_meaning(reason, comments)}")
    found = {str(status): _response(status, told) for status, told in sorted(by_status.items())}
    return found | {"default": {"description": "Refused, or failed.", "content": _CONTENT}}


def _meaning(reason: str, comments: Mapping[str, str]) -> str:
    """The contract's comment on the reason, behind the status it begins with."""
    return comments.get(f"peakmesh.error.v1.ErrorReason.ERROR_REASON_{reason}", "").partition(": ")[2]


def _response(status: int, told: list[str]) -> dict[str, Any]:
    headers = {"headers": _RETRY_AFTER} if status in _TELLING_WHEN else {}
    return {"description": "\n\n".join(told), **headers, "content": _CONTENT}
