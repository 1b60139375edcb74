"""The command line without a mesh: help, exit statuses, one line an error."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from meshkit.identity import TokenVerifier, create_keys
from tools.cli.__main__ import app

run = CliRunner()
ORDER = "01900000-0000-8000-8000-000000000000"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder of a mesh that does not run."""
    monkeypatch.setenv("PEAKMESH_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("PEAKMESH_PORT_BASE", "4321")
    return tmp_path


# What they print is no data: progress, a log, one word for a shell to take.
WITHOUT_JSON = {"up", "down", "logs", "token issue", "sale report", "fault set", "fault clear"}


def commands(command: Any, *words: str) -> Iterator[tuple[str, Any]]:
    """Every command and group by its words."""
    yield " ".join(words), command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *words, name)


COMMANDS = dict(commands(typer.main.get_command(app)))
LEAVES = {words: command for words, command in COMMANDS.items() if not hasattr(command, "commands")}


@pytest.mark.parametrize("words", COMMANDS)
def test_everything_has_help(words: str) -> None:
    told = run.invoke(app, [*words.split(), "--help"])
    assert told.exit_code == 0
    assert "Usage" in told.output
    assert (COMMANDS[words].help or "").rstrip().endswith(".")
    assert [each.name for each in COMMANDS[words].params if not each.help] == []


def test_what_prints_data_prints_it_as_json_too() -> None:
    options = {words: {flag for each in command.params for flag in each.opts} for words, command in LEAVES.items()}
    assert {words for words, flags in options.items() if "--json" not in flags} == WITHOUT_JSON
    for words, flags in options.items():
        assert "--page-token" not in flags or "--page-size" in flags, words


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
        (["toggles", "list"], "peakmesh up"),
        (["tier", "show"], "peakmesh up"),
        (["sale", "report", "sale-none"], "no verdict of sale-none"),
        (["sale", "compare", "sale-none", "sale-none"], "no verdict of sale-none"),
        (["clean", "--all"], "holds no mesh's data"),
        (["up", "--only", "nothing"], "There is no process nothing"),
    ],
)
def test_an_error_is_one_line_and_status_1(nowhere: Path, command: list[str], words: str) -> None:
    told = run.invoke(app, command)
    assert told.exit_code == 1
    assert words in told.output
    assert "Traceback" not in told.output
    assert len(told.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["sale", "run", "--units", "5", "--buyers", "5"],
        ["sale", "show", "sale-none"],
        ["sale", "show", "sale-none", "--watch"],
        ["order", "place", "--sale", "sale-none", "--sku", "a"],
        ["order", "watch", ORDER],
        ["order", "stuck"],
        ["cart", "show"],
        ["voucher", "list"],
        ["toggles", "list"],
        ["tier", "watch"],
    ],
    ids=" ".join,
)
def test_a_mesh_that_was_stopped_is_told_in_one_line(nowhere: Path, command: list[str]) -> None:
    create_keys(nowhere / "identity")
    told = run.invoke(app, command)
    assert told.exit_code == 1
    assert "peakmesh status" in told.output
    assert len(told.output.strip().splitlines()) == 1


def test_a_trace_that_could_read_nothing_is_no_trace(nowhere: Path) -> None:
    create_keys(nowhere / "identity")
    told = run.invoke(app, ["order", "trace", ORDER, "--json"])
    assert told.exit_code == 2
    assert set(json.loads(told.stdout)["unread"]) == {"redis", "kafka", "sql", "provider"}


def test_a_token_is_printed_alone(nowhere: Path) -> None:
    create_keys(nowhere / "identity")
    told = run.invoke(app, ["token", "issue", "--sub", "ana", "--role", "seller"])
    identity = TokenVerifier(nowhere / "identity" / "jwks.json").verify(f"Bearer {told.output.strip()}")
    assert (identity.user_id, identity.role) == ("ana", "seller")
