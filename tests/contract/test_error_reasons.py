"""Every reason in the contract has one typed error, and every error a reason in the contract."""

from pathlib import Path

from envoy.http_status import http_status
from meshkit.errors import BY_REASON
from peakmesh.error.v1.error_reason_pb2 import ErrorReason


def test_reasons_and_errors_match() -> None:
    declared = {name.removeprefix("ERROR_REASON_") for name in dict(ErrorReason.items())} - {"UNSPECIFIED"}
    assert declared == set(BY_REASON)


def test_every_reason_tells_a_client_what_to_do() -> None:
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(BY_REASON)
    for reason, error in BY_REASON.items():
        _, status, http, retry, when, request_id, what = [cell.strip() for cell in rows[reason].strip("|").split("|")]
        assert (status, http) == (error.code.name, str(http_status(error)))
        assert (retry, when == "–") in {("yes", False), ("no", True)}
        assert request_id in {"same", "new", "–"}
        assert what
