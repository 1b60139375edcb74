"""Whose word on a feature holds."""

import pytest

from governor.toggle_state import GOVERNOR, Change, Setting, Source, state_of
from kernel.features import Feature

FEATURE = Feature("f", True, "team", "less", "2028-01-01", ())
NOW = 1_000


def setting(on: bool, expires_ms: int | None = None) -> Setting:
    return Setting(on, "somebody", "why", "", 1, expires_ms)


@pytest.mark.parametrize(
    ("settings", "on", "source"),
    [
        ({}, True, Source.DEFAULT),
        ({Source.AUTOMATIC: setting(False)}, False, Source.AUTOMATIC),
        ({Source.AUTOMATIC: setting(False), Source.OVERRIDE: setting(True)}, True, Source.OVERRIDE),
        ({Source.AUTOMATIC: setting(True), Source.OVERRIDE: setting(False, NOW + 1)}, False, Source.OVERRIDE),
        ({Source.AUTOMATIC: setting(True), Source.OVERRIDE: setting(False, NOW)}, True, Source.AUTOMATIC),
        ({Source.OVERRIDE: setting(False, NOW)}, True, Source.DEFAULT),
    ],
)
def test_an_override_holds_before_the_automatic_before_the_default(
    settings: dict[Source, Setting], on: bool, source: Source
) -> None:
    state = state_of(FEATURE, settings, NOW)
    assert (state.on, state.source) == (on, source)


def test_only_the_governors_changes_are_automatic() -> None:
    assert Change("f", False, GOVERNOR, "tier").source is Source.AUTOMATIC
    assert Change("f", False, "operator:governor", "why").source is Source.OVERRIDE


def test_a_setting_is_read_as_it_was_written_and_later_fields_are_passed_over() -> None:
    written = setting(False, 77)
    assert Setting.decode(written.encode().encode()) == written
    assert Setting.decode(written.encode()[:-1].encode() + b', "later": 1}') == written
    for broken in (b"?", b"[]", b"{}", b"1"):
        with pytest.raises(ValueError, match=r"not a setting|Expecting"):
            Setting.decode(broken)
