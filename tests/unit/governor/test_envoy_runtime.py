"""Envoy's file has two writers: neither undoes what the other wrote later."""

from pathlib import Path

import pytest

from governor.envoy_runtime import EnvoyRuntime
from kernel.features import NEVER_CHANGED, Version, defaults, runtime_document, runtime_version

FEATURE = next(iter(defaults()))
OFF = defaults() | {FEATURE: False}


@pytest.mark.parametrize(
    ("late", "written"), [((5, 1), False), ((4, 9), False), (NEVER_CHANGED, False), ((5, 2), True), ((6, 0), True)]
)
def test_what_was_read_earlier_is_not_written_later(tmp_path: Path, late: Version, written: bool) -> None:
    runtime = EnvoyRuntime(tmp_path / "runtime" / "toggles.json")
    assert runtime.write(OFF, (5, 2))
    assert runtime.write(defaults(), late) is written
    expected = runtime_document(defaults(), late) if written else runtime_document(OFF, (5, 2))
    assert (tmp_path / "runtime" / "toggles.json").read_text() == expected


def test_where_redis_has_forgotten_it_is_written_all_the_same(tmp_path: Path) -> None:
    runtime = EnvoyRuntime(tmp_path / "toggles.json")
    runtime.write(OFF, (5, 2))
    assert runtime.write(defaults(), NEVER_CHANGED, force=True)
    assert runtime_version((tmp_path / "toggles.json").read_text()) == NEVER_CHANGED


@pytest.mark.parametrize("there", ["", "no JSON", "{}", '{"resources": []}', '{"resources": [{"layer": {}}]}'])
def test_a_file_that_is_none_of_ours_is_replaced(tmp_path: Path, there: str) -> None:
    (tmp_path / "toggles.json").write_text(there)
    assert EnvoyRuntime(tmp_path / "toggles.json").write(OFF, NEVER_CHANGED)
    assert runtime_version((tmp_path / "toggles.json").read_text()) == NEVER_CHANGED
