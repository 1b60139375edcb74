from pathlib import Path

import pytest

from tools.providers.command import main
from tools.providers.knobs import AllKnobs, KnobFile, Knobs, read_knobs, write_knobs


def test_without_a_file_nothing_is_disturbed(tmp_path: Path) -> None:
    assert KnobFile(tmp_path / "knobs.json").current() == AllKnobs()


def test_a_change_of_the_file_is_seen_and_a_bad_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "knobs.json"
    knobs = KnobFile(path)
    write_knobs(path, AllKnobs(wallet=Knobs(latency_ms=5)))
    assert knobs.current().wallet.latency_ms == 5
    path.write_text('{"wallet": {"decline": 3}}')
    assert knobs.current().wallet.latency_ms == 5
    write_knobs(path, AllKnobs())
    assert knobs.current() == AllKnobs()


def test_the_draws_repeat_with_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "knobs.json"
    write_knobs(path, AllKnobs(seed=7, wallet=Knobs(decline=0.3)))
    first, second = KnobFile(path), KnobFile(path)
    assert [first.happens(0.5) for _ in range(50)] == [second.happens(0.5) for _ in range(50)]
    declined = [key for key in range(1000) if first.declines(f"{key}:debit")]
    assert declined == [key for key in range(1000) if second.declines(f"{key}:debit")]
    assert 250 < len(declined) < 350


def test_the_command_turns_one_knob_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEAKMESH_RUN_DIR", str(tmp_path))
    path = tmp_path / "providers" / "knobs.json"
    assert main(["knobs", "set", "wallet", "--latency-ms", "200", "--decline", "0.1"]) == 0
    assert main(["knobs", "set", "all", "--error", "0.5", "--seed", "9"]) == 0
    turned = read_knobs(path)
    assert turned.wallet == Knobs(latency_ms=200, decline=0.1, error=0.5)
    assert (turned.loyalty, turned.seed) == (Knobs(error=0.5), 9)
    assert main(["knobs", "set", "wallet", "--decline", "2"]) == 2
    assert "wallet.decline" in capsys.readouterr().err
    assert read_knobs(path) == turned
    assert main(["knobs", "reset"]) == 0
    assert read_knobs(path) == AllKnobs()
