"""A log is bounded while its process goes on writing to it."""

from pathlib import Path

from tools.devstack.logfile import bound_logs


def test_a_log_that_is_too_large_is_set_aside_and_written_on(tmp_path: Path) -> None:
    log, small = tmp_path / "busy.log", tmp_path / "quiet.log"
    small.write_text("few words\n")
    with log.open("ab", buffering=0) as held:
        held.write(b"x" * 100)
        assert bound_logs(tmp_path, most_bytes=50) == ["busy.log"]
        held.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert (tmp_path / "busy.log.1").read_bytes() == b"x" * 100
    assert small.read_text() == "few words\n"
    assert bound_logs(tmp_path, most_bytes=50) == []
