"""Answers Envoy gives itself, in the form the services give theirs: a status with one ErrorInfo."""

import base64
from dataclasses import dataclass

from meshkit.errors import DeadlinePassed, DependencyUnavailable, Overloaded, PeakmeshError, TooLarge, Unauthenticated
from meshkit.rpc.status import to_status


@dataclass(frozen=True)
class EdgeStatus:
    """`code` is the gRPC number; `details` the packed google.rpc.Status, base64 without padding as HTTP/2 wants it."""

    code: int
    message: str
    details: str


def _edge_status(error: PeakmeshError) -> EdgeStatus:
    # The body becomes grpc-message and must equal the message inside the details, or grpc_status refuses the pair.
    status = to_status(error)
    details = base64.b64encode(status.SerializeToString()).decode().rstrip("=")
    return EdgeStatus(status.code, status.message, details)


REPLIES = {
    "unauthenticated": _edge_status(
        Unauthenticated("no valid token: missing, expired, for another audience or signed otherwise")
    ),
    "too_large": _edge_status(TooLarge("the message is larger than this method takes")),
    "deadline": _edge_status(DeadlinePassed("the service did not answer in time; the outcome is unknown")),
    "overloaded": _edge_status(Overloaded("too many calls are in flight", retry_after=1.0)),
    "unavailable": _edge_status(DependencyUnavailable("service", "no server answered this call")),
}
