"""Two verdicts side by side."""

from tests.unit.sale.verdicts import verdict
from tools.sale.compare import compare, differences


def test_every_figure_has_its_ratio() -> None:
    lines = {line.figure: line for line in compare(verdict(), verdict(drain_rate=65.0))}
    assert (lines["drain_rate"].first, lines["drain_rate"].second, lines["drain_rate"].ratio) == (32.5, 65.0, 2.0)
    assert lines["latency_ms.accepted.p99"].ratio == 1.0
    assert lines["errors"].ratio is None, "nothing is a multiple of zero"


def test_an_older_verdict_lacks_figures_and_is_compared_all_the_same() -> None:
    older = verdict()
    del older["stages_ms"]
    lines = {line.figure: line for line in compare(older, verdict())}
    assert (lines["stages_ms.queue.p99"].first, lines["stages_ms.queue.p99"].ratio) == (None, None)


def test_what_makes_them_hard_to_compare_is_told() -> None:
    other = verdict(commit="def", audit={"I1": "violated", "I4": "holds"})
    assert differences(verdict(), verdict()) == []
    assert differences(verdict(), other) == ["commit: abc against def", "I1: holds against violated"]
