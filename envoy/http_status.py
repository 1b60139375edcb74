"""gRPC's statuses as HTTP's: what a JSON client is told."""

from grpc import StatusCode

from meshkit.errors import PeakmeshError, TooLarge

# As Envoy's transcoder maps them; UNIMPLEMENTED is the gateway's own, for a path that is not there.
HTTP = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.UNIMPLEMENTED: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}


def http_status(error: type[PeakmeshError]) -> int:
    """Of JSON only Envoy says that it is too large, and in HTTP's own word."""
    return 413 if error is TooLarge else HTTP[error.code]
