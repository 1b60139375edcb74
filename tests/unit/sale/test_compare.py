"""Two verdicts side by side."""

from tests.unit.sale.verdicts import verdict
from tools.sale.compare import compare, differences


def test_every_figure_has_its_ratio() -> None:
    lines = {line.figure: line for line in compare(verdict(), verdict(drain_rate=65.0))}
    assert (lines["drain_rate"].first, lines["drain_rate"].second, lines["drain_rate"].ratio) == (32.5, 65.0, 2.0)
    assert lines["oversold"].ratio is None, "nothing is a multiple of zero"


def test_every_outcome_of_either_is_compared_with_its_latencies() -> None:
    other = verdict(outcomes={"QUEUED": {"count": 400, "p50": 5.0, "p99": 50.0, "p999": 70.0}})
    lines = {line.figure: line for line in compare(verdict(), other)}
    assert lines["outcomes.QUEUED.count"].ratio == 2.0
    assert [lines[f"outcomes.QUEUED.{name}"].ratio for name in ("p50", "p99", "p999")] == [0.5, 0.5, 0.5]
    missed = lines["outcomes.DEADLINE.p99"]
    assert (missed.first, missed.second, missed.ratio) == (5002.0, None, None)
    assert "outcomes.DEADLINE.count" in {line.figure for line in compare(other, verdict())}


def test_an_older_verdict_lacks_figures_and_is_compared_all_the_same() -> None:
    older = verdict()
    del older["stages_ms"], older["outcomes"]
    lines = {line.figure: line for line in compare(older, verdict())}
    assert (lines["outcomes.QUEUED.p99"].first, lines["outcomes.QUEUED.p99"].second) == (None, 100.0)
    assert (lines["stages_ms.queue.p99"].first, lines["stages_ms.queue.p99"].ratio) == (None, None)


def test_what_makes_them_hard_to_compare_is_told() -> None:
    other = verdict(commit="def", audit={"I1": "violated", "I4": "holds"})
    assert differences(verdict(), verdict()) == []
    assert differences(verdict(), other) == ["commit: abc against def", "I1: holds against violated"]
