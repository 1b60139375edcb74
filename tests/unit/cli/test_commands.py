"""The command line without a mesh: help, exit statuses, one line an error."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from meshkit.identity import TokenVerifier, create_keys
from tools.cli.__main__ import app

run = CliRunner()
GROUPS = ("sale", "order", "token", "catalog", "voucher")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder of a mesh that does not run."""
    monkeypatch.setenv("PEAKMESH_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("PEAKMESH_PORT_BASE", "4321")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["sale"],
        ["order"],
        ["cart"],
        ["token"],
        ["catalog"],
        ["voucher"],
        ["sale", "run"],
        ["audit"],
        ["up"],
        ["order", "place"],
        ["product", "search"],
        ["fault"],
        ["fault", "run"],
    ],
)
def test_everything_has_help(command: list[str]) -> None:
    told = run.invoke(app, [*command, "--help"])
    assert told.exit_code == 0
    assert "Usage" in told.output


@pytest.mark.parametrize(
    "command", [["sale", "open"], ["token", "issue"], ["nonsense"], ["sale", "run", "--units", "x"]]
)
def test_bad_usage_ends_with_2(command: list[str]) -> None:
    assert run.invoke(app, command).exit_code == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sale", "run", "--units", "0"], "--units"),
        (["sale", "run"], "peakmesh up"),
        (["sale", "show", "sale-none"], "peakmesh up"),
        (["sale", "show", "sale-none", "--watch"], "peakmesh up"),
        (["sale", "pause", "sale-none"], "peakmesh up"),
        (["sale", "list"], "peakmesh up"),
        (["sale", "open", "--sku", "a", "--units", "1", "--opens", "tonight"], "--opens"),
        (["sale", "open", "--sku", "a", "--units", "1", "--closes", "2026-11-27T00:00:00"], "--closes"),
        (["sale", "open", "--sku", "a", "--units", "1", "--units", "2"], "--units"),
        (["order", "stuck"], "peakmesh up"),
        (["order", "resolve", "some-order", "--reason", "x"], "peakmesh up"),
        (["order", "trace", "some-order"], "order_id"),
        (["order", "get", "some-order"], "peakmesh up"),
        (["cart", "show"], "peakmesh up"),
        (["cart", "checkout", "--request-id", "x"], "peakmesh up"),
        (["voucher", "list"], "peakmesh up"),
        (["product", "search", "phone"], "peakmesh up"),
        (["token", "issue", "--sub", "ana"], "peakmesh up"),
        (["token", "issue", "--sub", "a{b}"], "--sub"),
        (["status"], "peakmesh up"),
    ],
)
def test_an_error_is_one_line_and_status_1(nowhere: Path, command: list[str], words: str) -> None:
    told = run.invoke(app, command)
    assert told.exit_code == 1
    assert words in told.output
    assert "Traceback" not in told.output
    assert len(told.output.strip().splitlines()) == 1


def test_a_token_is_printed_alone(nowhere: Path) -> None:
    create_keys(nowhere / "identity")
    told = run.invoke(app, ["token", "issue", "--sub", "ana", "--role", "seller"])
    identity = TokenVerifier(nowhere / "identity" / "jwks.json").verify(f"Bearer {told.output.strip()}")
    assert (identity.user_id, identity.role) == ("ana", "seller")
