"""The dates of the certificates that stand before the mesh: a load balancer's, say. Envoy itself has no TLS here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from tools.preflight.facts import Certificate

DAY_SECONDS = 86_400


def read_certificates(files: str) -> Mapping[str, Certificate]:
    """Each file of the list, with commas between. Of a chain, what ends first and begins last counts."""
    return {name: _read(Path(name)) for name in map(str.strip, files.split(",")) if name}


def _read(file: Path) -> Certificate:
    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        return Certificate(why=f"{type(error).__name__}: {error}".splitlines()[0][:200])
    return Certificate(
        ends_in=min(_days_to(each.not_valid_after_utc) for each in chain),
        begins_in=max(_days_to(each.not_valid_before_utc) for each in chain),
    )


def _days_to(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds() / DAY_SECONDS
