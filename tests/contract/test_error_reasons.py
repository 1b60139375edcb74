"""Every reason in the contract has one typed error, and every error a reason in the contract."""

from pathlib import Path

from grpc import StatusCode

from meshkit.errors import BY_REASON
from peakmesh.error.v1.error_reason_pb2 import ErrorReason

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


def test_reasons_and_errors_match() -> None:
    declared = {name.removeprefix("ERROR_REASON_") for name in dict(ErrorReason.items())} - {"UNSPECIFIED"}
    assert declared == set(BY_REASON)


def test_every_reason_tells_a_client_what_to_do() -> None:
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(BY_REASON)
    for reason, error in BY_REASON.items():
        assert error.code.name in rows[reason]
        status = 413 if reason == "TOO_LARGE" else HTTP[error.code]
        assert f"| {status} |" in rows[reason]
