"""Answers Envoy gives itself, in the form the services give theirs: a status with one ErrorInfo."""

import base64
import json
from dataclasses import dataclass

from google.protobuf.json_format import MessageToDict

from kernel.features import disabled
from meshkit.errors import (
    DeadlinePassed,
    DependencyUnavailable,
    InvalidFields,
    MethodNotFound,
    Overloaded,
    PeakmeshError,
    TooLarge,
    Unauthenticated,
    Undecodable,
)
from meshkit.rpc.status import to_status


@dataclass(frozen=True)
class EdgeStatus:
    """`code` is the gRPC number; `details` the packed google.rpc.Status, base64 without padding as HTTP/2 wants it;
    `http` and `json` are the same for a client that speaks JSON."""

    code: int
    message: str
    details: str
    http: int
    json: str


def _edge_status(error: PeakmeshError, http: int) -> EdgeStatus:
    # The body becomes grpc-message and must equal the message inside the details, or grpc_status refuses the pair.
    status = to_status(error)
    details = base64.b64encode(status.SerializeToString()).decode().rstrip("=")
    told = json.dumps(MessageToDict(status, preserving_proto_field_name=True))
    return EdgeStatus(status.code, status.message, details, http, told)


def feature_off(name: str) -> EdgeStatus:
    """What a call to a feature that is off is answered."""
    return _edge_status(disabled(name), 503)


REPLIES = {
    "unauthenticated": _edge_status(
        Unauthenticated("no valid token: missing, expired, for another audience or signed otherwise"), 401
    ),
    "too_large": _edge_status(TooLarge("the message is larger than this method takes"), 413),
    "unreadable": _edge_status(Undecodable("the request cannot be read"), 400),
    "deadline": _edge_status(DeadlinePassed("the service did not answer in time; the outcome is unknown"), 504),
    "overloaded": _edge_status(Overloaded("too many calls are in flight", retry_after=1.0), 429),
    "unavailable": _edge_status(DependencyUnavailable("service", "no server answered this call"), 503),
    "broken": _edge_status(PeakmeshError("internal error"), 502),
    "no_route": _edge_status(MethodNotFound("there is no such path or method here"), 404),
    "large_headers": _edge_status(TooLarge("the request's path and headers are more than 32 KiB"), 431),
    "slow_request": _edge_status(DeadlinePassed("the request did not arrive in time; nothing was done"), 408),
}

# A header of gRPC's own that no server can read: its name → the pattern of what is read, and what the others are told.
BAD_HEADERS = {
    name: (pattern, _edge_status(InvalidFields([(name, words)]), 400))
    for name, pattern, words in (
        ("grpc-timeout", "[0-9]{1,8}[HMSmun]", "must be one to eight digits and one of H, M, S, m, u, n"),
        ("grpc-encoding", "identity|deflate|gzip", "must be identity, deflate or gzip"),
    )
}
