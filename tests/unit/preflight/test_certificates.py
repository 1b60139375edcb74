"""Certificates made here, with the dates that the preflight must find in them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.preflight.worlds import facts
from tools.preflight.check import preflight
from tools.preflight.checks import CHECKS
from tools.preflight.facts import Certificate
from tools.preflight.read_certificates import read_certificates
from tools.preflight.read_envoy import served_certificates
from tools.preflight.report import Level


def pem(begins_in: float, ends_in: float) -> bytes:
    """Signed by itself; days from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins_in))
        .not_valid_after(now + timedelta(days=ends_in))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def said(found: dict[str, Certificate]) -> tuple[Level, str]:
    [line] = [line for line in preflight(facts(certificates=found), CHECKS).lines if line.check == "certificates"]
    return line.level, line.words


@pytest.mark.parametrize(
    ("begins_in", "ends_in", "level", "words"),
    [
        (-60, 40, Level.OK, "none ends soon"),
        (-60, 20.5, Level.WARNING, "ends in 20 days"),
        (-60, 0.5, Level.PROBLEM, "ends within a day"),
        (-60, -3, Level.PROBLEM, "ended 3.0 days ago"),
        (2, 60, Level.PROBLEM, "is not valid yet, for 2.0 days"),
    ],
)
def test_its_dates_decide(tmp_path: Path, begins_in: float, ends_in: float, level: Level, words: str) -> None:
    file = tmp_path / "shop.pem"
    file.write_bytes(pem(begins_in, ends_in))
    found = dict(read_certificates(str(file)))
    assert said(found)[0] is level
    assert words in said(found)[1]


def test_of_a_chain_what_ends_first_counts(tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_bytes(pem(-1, 300) + pem(-1, 5.5))
    [found] = read_certificates(f" {file} ,").values()
    assert 5.4 < found.ends_in < 5.6


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    wrong, missing = tmp_path / "key.pem", tmp_path / "gone.pem"
    wrong.write_text("-----BEGIN NOTHING-----")
    found = read_certificates(f"{wrong},{missing}")
    assert set(found) == {str(wrong), str(missing)}
    for name, each in found.items():
        assert each.why
        assert said({name: each}) == (Level.PROBLEM, f"the certificate {name} could not be read: {each.why}")


def test_no_setting_is_no_certificate() -> None:
    assert read_certificates("") == {}


def test_what_envoy_serves_with_is_read_as_it_tells_it() -> None:
    told = [
        {
            "ca_cert": [{"path": "/etc/ca.pem", "days_until_expiration": "900"}],
            "cert_chain": [{"path": "/etc/shop.pem", "days_until_expiration": "12"}],
        },
        {"cert_chain": [{"path": "/etc/old.pem", "days_until_expiration": "0"}]},
    ]
    found = served_certificates(told)
    assert {name: each.ends_in for name, each in found.items()} == {
        "/etc/ca.pem": 900,
        "/etc/shop.pem": 12,
        "/etc/old.pem": 0,
    }
    assert said({"/etc/old.pem": found["/etc/old.pem"]})[0] is Level.PROBLEM
